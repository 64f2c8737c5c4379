// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

using UnrealBuildTool;

public class Tachy : ModuleRules
{
	public Tachy(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;

		PublicDependencyModuleNames.AddRange(new string[] { "Core", "CoreUObject", "DeveloperSettings", "TachyCore" });
		PrivateDependencyModuleNames.AddRange(new string[] { "Engine", "HTTP" });
	}
}
