// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyConsentFile.h"

#include "HAL/FileManager.h"
#include "Misc/FileHelper.h"
#include "Misc/Paths.h"

namespace
{

const TCHAR* const GivenWord = TEXT("given");
const TCHAR* const RevokedWord = TEXT("revoked");

FString ConsentFile(const FString& Home)
{
	return FPaths::Combine(Home, TEXT("consent.txt"));
}

} // namespace

ETachyConsent ReadTachyConsent(const FString& Home)
{
	FString Word;
	const FString File = ConsentFile(Home);
	if (!IFileManager::Get().FileExists(*File) || !FFileHelper::LoadFileToString(Word, *File))
	{
		return ETachyConsent::Unasked;
	}
	Word.TrimStartAndEndInline();
	if (Word == GivenWord)
	{
		return ETachyConsent::Given;
	}
	return Word == RevokedWord ? ETachyConsent::Revoked : ETachyConsent::Unasked;
}

bool WriteTachyConsent(const FString& Home, ETachyConsent Consent)
{
	IFileManager::Get().MakeDirectory(*Home, true);
	return FFileHelper::SaveStringToFile(Consent == ETachyConsent::Given ? GivenWord : RevokedWord, *ConsentFile(Home));
}
