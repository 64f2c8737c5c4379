// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include <type_traits>

#include "CoreTypes.h"

namespace Tachy
{

/** Bytes of UTF-8 that one character of a text may take, at most. */
template <typename CharType>
inline constexpr SIZE_T Utf8Bytes = sizeof(CharType) == 1   ? 1
                                    : sizeof(CharType) == 2 ? 3
                                                            : 4;

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
 * Made by the compiler from "Tick" or TEXT("Tick"). What is put together at run time is no constant, and does not
 * compile where one is wanted.
 */
template <typename CharType, SIZE_T Count>
constexpr TUtf8<Count * Utf8Bytes<CharType>> Utf8(const CharType (&Text)[Count])
{
	TUtf8<Count * Utf8Bytes<CharType>> Result{};
	PutUtf8(Text, Count - 1, Result.Bytes);
	return Result;
}

/** Anything else says why not. */
template <typename TextType, std::enable_if_t<!std::is_array_v<TextType>, int> = 0>
constexpr TUtf8<1> Utf8(const TextType&)
{
	static_assert(sizeof(TextType) == 0,
	              "a static site takes literals, \"Tick\" or TEXT(\"Tick\"), since it is made once: "
	              "spans whose name is known at run time only are TACHY_SPAN_NAME");
	return {};
}

/** Of a text's characters; equal texts of either kind that are ASCII have the same. */
template <typename CharType>
constexpr uint64 TextHash(const CharType* Text, uint64 Seed)
{
	uint64 Hash = 0xCBF29CE484222325ull ^ Seed;
	for (; *Text; ++Text)
	{
		Hash = (Hash ^ static_cast<uint64>(*Text)) * 0x100000001B3ull;
	}
	return Hash;
}

} // namespace Tachy
