// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreTypes.h"

namespace Tachy
{

/** Bytes of UTF-8 that one character of a text may take, at most. */
template <typename CharType>
inline constexpr SIZE_T Utf8Bytes = sizeof(CharType) == 1 ? 1 : sizeof(CharType) == 2 ? 3 : 4;

/** Writes Count characters as UTF-8 to Out, which has room, and returns how many bytes that were. */
template <typename CharType>
constexpr SIZE_T PutUtf8(const CharType* Text, SIZE_T Count, ANSICHAR* Out)
{
	SIZE_T Size = 0;
	for (SIZE_T Index = 0; Index < Count; ++Index)
	{
		uint32 Point = static_cast<uint32>(Text[Index]);
		if (sizeof(CharType) == 1)
		{
			Out[Size++] = static_cast<ANSICHAR>(Text[Index]);
			continue;
		}
		if (sizeof(CharType) == 2 && (Point & 0xFC00u) == 0xD800u && Index + 1 < Count)
		{
			Point = 0x10000u + ((Point & 0x3FFu) << 10) + (static_cast<uint32>(Text[++Index]) & 0x3FFu);
		}
		if (Point < 0x80u)
		{
			Out[Size++] = static_cast<ANSICHAR>(Point);
			continue;
		}
		const uint32 More = Point < 0x800u ? 1 : Point < 0x10000u ? 2 : 3;
		Out[Size++] = static_cast<ANSICHAR>((0xF00u >> (More + 1) & 0xF0u) | Point >> (6 * More));
		for (uint32 Left = More; Left-- > 0;)
		{
			Out[Size++] = static_cast<ANSICHAR>(0x80u | (Point >> (6 * Left) & 0x3Fu));
		}
	}
	return Size;
}

/** The UTF-8 bytes of a literal. */
template <SIZE_T Size>
struct TUtf8
{
	ANSICHAR Bytes[Size];
};

/**
 * Made by the compiler from "Tick" or TEXT("Tick"). What is put together at run time is no constant, and does not compile
 * where one is wanted.
 */
template <typename CharType, SIZE_T Count>
constexpr TUtf8<Count * Utf8Bytes<CharType>> Utf8(const CharType (&Text)[Count])
{
	TUtf8<Count * Utf8Bytes<CharType>> Result{};
	PutUtf8(Text, Count - 1, Result.Bytes);
	return Result;
}

} // namespace Tachy
