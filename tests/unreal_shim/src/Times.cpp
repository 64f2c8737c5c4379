// Dates, GUIDs, random numbers, checksums.
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "CoreMinimal.h"

static constexpr int64 UnixEpoch = 621355968000000000;
FDateTime::FDateTime(int32 Year, int32 Month, int32 Day, int32 Hour, int32 Minute, int32 Second, int32 Millisecond) {
  tm T = {};
  T.tm_year = Year - 1900, T.tm_mon = Month - 1, T.tm_mday = Day, T.tm_hour = Hour, T.tm_min = Minute,
  T.tm_sec = Second;
  Ticks = UnixEpoch + timegm(&T) * ETimespan::TicksPerSecond + Millisecond * ETimespan::TicksPerMillisecond;
}
FDateTime FDateTime::UtcNow() {
  timespec T;
  clock_gettime(CLOCK_REALTIME, &T);
  return FDateTime(UnixEpoch + T.tv_sec * ETimespan::TicksPerSecond + T.tv_nsec / 100);
}
FDateTime FDateTime::Now() {
  const time_t Utc = time(nullptr);
  tm Local;
  localtime_r(&Utc, &Local);
  return FDateTime(UtcNow().Ticks + Local.tm_gmtoff * ETimespan::TicksPerSecond);
}
FDateTime FDateTime::FromUnixTimestamp(int64 Seconds) {
  return FDateTime(UnixEpoch + Seconds * ETimespan::TicksPerSecond);
}
int64 FDateTime::ToUnixTimestamp() const { return (Ticks - UnixEpoch) / ETimespan::TicksPerSecond; }
FString FDateTime::ToString(const TCHAR *Format) const {
  const time_t Seconds = time_t(ToUnixTimestamp());
  tm T;
  gmtime_r(&Seconds, &T);
  char Buffer[128];
  FString Ansi(Format);
  Ansi.ReplaceInline(TEXT("%s"), *FString::Printf(TEXT("%03d"), int32(Ticks / ETimespan::TicksPerMillisecond % 1000)),
                     ESearchCase::CaseSensitive);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const size_t N = strftime(Buffer, sizeof Buffer, TCHAR_TO_ANSI(*Ansi), &T);
#pragma GCC diagnostic pop
  return FString(FAnsiStringView(Buffer, int32(N)));
}

static bool Parse(const char *Text, const char *Format, FDateTime &Out) {
  tm T = {};
  if (!strptime(Text, Format, &T)) return false;
  Out = FDateTime(T.tm_year + 1900, T.tm_mon + 1, T.tm_mday, T.tm_hour, T.tm_min, T.tm_sec);
  return true;
}
bool FDateTime::ParseHttpDate(const FString &Text, FDateTime &Out) {
  return Parse(TCHAR_TO_ANSI(*Text), "%a, %d %b %Y %H:%M:%S GMT", Out);
}
FGuid FGuid::NewGuid() {
  FGuid G;
  if (getrandom(&G, sizeof G, 0) != ssize_t(sizeof G)) abort();
  G.B = (G.B & 0xffff0fff) | 0x4000;
  G.C = (G.C & 0x3fffffff) | 0x80000000;
  return G;
}
FString FGuid::ToString(EGuidFormats Format) const {
  FString Text = FString::Printf(TEXT("%08X%08X%08X%08X"), A, B, C, D);
  if (Format == EGuidFormats::DigitsLower || Format == EGuidFormats::DigitsWithHyphensLower) Text = Text.ToLower();
  if (Format == EGuidFormats::DigitsWithHyphens || Format == EGuidFormats::DigitsWithHyphensLower)
    Text = Text.Left(8) + TEXT("-") + Text.Mid(8, 4) + TEXT("-") + Text.Mid(12, 4) + TEXT("-") + Text.Mid(16, 4) +
           TEXT("-") + Text.Mid(20);
  return Text;
}
bool FGuid::Parse(const FString &Text, FGuid &Out) {
  const FString Digits = Text.Replace(TEXT("-"), TEXT("")).Replace(TEXT("{"), TEXT("")).Replace(TEXT("}"), TEXT(""));
  if (Digits.Len() != 32) return false;
  uint32 Parts[4];
  for (int32 I = 0; I < 4; ++I) Parts[I] = uint32(FCString::Strtoui64(*Digits.Mid(I * 8, 8), nullptr, 16));
  Out = FGuid(Parts[0], Parts[1], Parts[2], Parts[3]);
  return true;
}
