// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

using UnrealBuildTool;

public class Tachy : ModuleRules
{
	public Tachy(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;

		PublicDependencyModuleNames.AddRange(
			new string[] { "Core", "CoreUObject", "DeveloperSettings", "Engine", "TachyCore" });
		PrivateDependencyModuleNames.AddRange(new string[] { "HTTP", "ImageWrapper", "RHI", "Slate", "SlateCore" });
		PrivateDefinitions.Add("TACHY_MODULE"); // its own sources do not depend on TACHY_ENABLED
	}
}
