// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyImages.h"

#include "Engine/Engine.h"
#include "Engine/GameViewportClient.h"
#include "HAL/RunnableThread.h"
#include "IImageWrapper.h"
#include "IImageWrapperModule.h"
#include "Modules/ModuleManager.h"
#include "Tachy.h"
#include "TachySwitches.h"
#include "UnrealClient.h"

namespace TachyImageRules
{

constexpr int32 Quality = 80;
constexpr int32 MostSide = 1920;
constexpr int32 LeastSide = 32;

/** Half as wide and high: each pixel is the mean of four. */
static void Halve(TArray<FColor>& Pixels, int32& Width, int32& Height)
{
	const int32 OldWidth = Width;
	Width /= 2;
	Height /= 2;
	for (int32 Y = 0; Y < Height; ++Y)
	{
		for (int32 X = 0; X < Width; ++X)
		{
			const FColor* const Above = &Pixels[2 * Y * OldWidth + 2 * X];
			const FColor* const Below = Above + OldWidth;
			const FColor Mean(static_cast<uint8>((Above[0].R + Above[1].R + Below[0].R + Below[1].R) / 4),
			                  static_cast<uint8>((Above[0].G + Above[1].G + Below[0].G + Below[1].G) / 4),
			                  static_cast<uint8>((Above[0].B + Above[1].B + Below[0].B + Below[1].B) / 4));
			Pixels[Y * Width + X] = Mean; // never after a pixel that is still to be read
		}
	}
}

static TArray64<uint8> Compress(IImageWrapperModule& Wrappers, const TArray<FColor>& Pixels, int32 Width, int32 Height)
{
	const TSharedPtr<IImageWrapper> Wrapper = Wrappers.CreateImageWrapper(EImageFormat::JPEG);
	const int64 Size = static_cast<int64>(Width) * Height * static_cast<int64>(sizeof(FColor));
	if (!Wrapper.IsValid() || !Wrapper->SetRaw(Pixels.GetData(), Size, Width, Height, ERGBFormat::BGRA, 8))
	{
		return {};
	}
	return Wrapper->GetCompressed(Quality);
}

} // namespace TachyImageRules

FTachyImages::FTachyImages(uint64 InMostBytes)
    : MostBytes(InMostBytes)
{
}

FTachyImages::~FTachyImages()
{
	UGameViewportClient::OnScreenshotCaptured().Remove(Captured);
	Join();
}

bool FTachyImages::IsBusy() const
{
	return Captured.IsValid() || (Thread && !bDone);
}

void FTachyImages::Join()
{
	if (Thread)
	{
		Thread->Kill(true);
		delete Thread;
		Thread = nullptr;
	}
}

FString FTachyImages::Take(const FString& InName)
{
	if (!TachySwitches::AreImagesOn())
	{
		return TEXT("images are off");
	}
	if (!GEngine || !GEngine->GameViewport)
	{
		return TEXT("there is no game viewport to be seen");
	}
	// While somebody listens the engine writes no file: what others have asked for is left to them.
	if (IsBusy() || FScreenshotRequest::IsScreenshotRequested())
	{
		return TEXT("another screenshot is under way");
	}
	Wrappers = FModuleManager::Get().LoadModulePtr<IImageWrapperModule>(TEXT("ImageWrapper"));
	if (!Wrappers)
	{
		return TEXT("this program has no image wrappers");
	}
	Join();
	Name = InName;
	Captured = UGameViewportClient::OnScreenshotCaptured().AddRaw(this, &FTachyImages::TakePixels);
	FScreenshotRequest::RequestScreenshot(false);
	return FString();
}

void FTachyImages::TakePixels(int32 InWidth, int32 InHeight, const TArray<FColor>& InPixels)
{
	UGameViewportClient::OnScreenshotCaptured().Remove(Captured);
	Captured.Reset();
	if (InWidth <= 0 || InHeight <= 0 || InPixels.Num() < InWidth * InHeight)
	{
		return;
	}
	Width = InWidth;
	Height = InHeight;
	Pixels = InPixels;
	bDone = false;
	Thread = FRunnableThread::Create(this, TEXT("TachyImages"), 0, TPri_BelowNormal);
}

uint32 FTachyImages::Run()
{
	while (FMath::Max(Width, Height) > TachyImageRules::MostSide)
	{
		TachyImageRules::Halve(Pixels, Width, Height);
	}
	TArray64<uint8> Image = TachyImageRules::Compress(*Wrappers, Pixels, Width, Height);
	while (static_cast<uint64>(Image.Num()) > MostBytes && FMath::Min(Width, Height) >= 2 * TachyImageRules::LeastSide)
	{
		TachyImageRules::Halve(Pixels, Width, Height);
		Image = TachyImageRules::Compress(*Wrappers, Pixels, Width, Height);
	}
	if (Image.Num() > 0 && static_cast<uint64>(Image.Num()) <= MostBytes)
	{
		Tachy::SendImage(Name, TEXT("image/jpeg"), Image.GetData(), static_cast<uint64>(Image.Num()));
	}
	Pixels.Empty();
	bDone = true;
	return 0;
}
