// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

using UnrealBuildTool;

// The editor's part: what is changed on the settings page holds at once, as far as it can.
public class TachyEditor : ModuleRules
{
	public TachyEditor(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;

		PrivateDependencyModuleNames.AddRange(new string[] { "Core", "CoreUObject", "DeveloperSettings", "Tachy" });
	}
}
