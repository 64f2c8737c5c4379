// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

using UnrealBuildTool;

// The recorder: one C file, and the header that other modules compile their recording calls from.
public class TachyCore : ModuleRules
{
	public TachyCore(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.NoPCHs;
		bUseUnity = false;
		CStandard = CStandardVersion.C17;

		PrivateDependencyModuleNames.Add("Core");

		if (Target.LinkType == TargetLinkType.Modular)
		{
			PrivateDefinitions.Add("TACHY_BUILD");
		}
		else
		{
			PublicDefinitions.Add("TACHY_STATIC");
		}
		if (!Known(Target.Platform))
		{
			PublicDefinitions.Add("TACHY_OS_HOST");
		}
	}

	// Those whose files, threads and clocks the recorder knows; elsewhere (consoles) it has the engine's.
	private static bool Known(UnrealTargetPlatform Platform)
	{
		return Platform == UnrealTargetPlatform.Win64 || Platform == UnrealTargetPlatform.Mac
			|| Platform == UnrealTargetPlatform.Linux || Platform == UnrealTargetPlatform.LinuxArm64
			|| Platform == UnrealTargetPlatform.Android || Platform == UnrealTargetPlatform.IOS;
	}
}
