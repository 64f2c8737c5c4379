// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyHost.h"

#include "CoreMinimal.h"
#include "tachy_core.h"

#if defined(TACHY_OS_HOST)

#include "HAL/CriticalSection.h"
#include "HAL/Event.h"
#include "HAL/PlatformMisc.h"
#include "HAL/PlatformProcess.h"
#include "HAL/PlatformTime.h"
#include "HAL/PlatformTLS.h"
#include "HAL/Runnable.h"
#include "HAL/RunnableThread.h"
#include "HAL/ThreadManager.h"
#include "HAL/UnrealMemory.h"
#include "Misc/CString.h"
#include "Misc/DateTime.h"
#include "Misc/Guid.h"

namespace
{

/** A function of the recorder on a thread of the engine's. */
class FRecorderThread : public FRunnable
{
public:
	FRecorderThread(void (*InFunction)(void*), void* InArgument)
	    : Function(InFunction)
	    , Argument(InArgument)
	{
	}

	virtual uint32 Run() override
	{
		Function(Argument);
		return 0;
	}

	FRunnableThread* Thread = nullptr;

private:
	void (*const Function)(void*);
	void* const Argument;
};

/** Calls the recorder when its thread ends. */
struct FThreadExit
{
	~FThreadExit()
	{
		if (Function && Value)
		{
			Function(Value);
		}
	}

	void (*Function)(void*) = nullptr;
	void* Value = nullptr;
};
thread_local FThreadExit ThreadExit;

void Copy(const FString& From, char* Text, size_t Size)
{
	if (Size > 0)
	{
		FCStringAnsi::Strncpy(Text, TCHAR_TO_UTF8(*From), static_cast<int32>(Size));
	}
}

void* Allocate(size_t Size, size_t Alignment)
{
	return FMemory::Malloc(Size, static_cast<uint32>(Alignment));
}

void Release(void* Memory)
{
	FMemory::Free(Memory);
}

void* MakeLock()
{
	return new FCriticalSection();
}

void Lock(void* Handle)
{
	static_cast<FCriticalSection*>(Handle)->Lock();
}

void Unlock(void* Handle)
{
	static_cast<FCriticalSection*>(Handle)->Unlock();
}

void* MakeEvent()
{
	return FPlatformProcess::GetSynchEventFromPool(false);
}

void SetEvent(void* Handle)
{
	static_cast<FEvent*>(Handle)->Trigger();
}

void WaitForEvent(void* Handle, uint64_t Ns)
{
	static_cast<FEvent*>(Handle)->Wait(static_cast<uint32>(FMath::Min<uint64>(Ns / 1000000 + 1, 3600000)));
}

void* StartThread(void (*Function)(void*), void* Argument, const char* Name)
{
	FRecorderThread* const Made = new FRecorderThread(Function, Argument);
	Made->Thread = FRunnableThread::Create(Made, UTF8_TO_TCHAR(Name), 0, TPri_BelowNormal);
	if (!Made->Thread)
	{
		delete Made;
		return nullptr;
	}
	return Made;
}

void JoinThread(void* Handle)
{
	FRecorderThread* const Ended = static_cast<FRecorderThread*>(Handle);
	Ended->Thread->WaitForCompletion();
	delete Ended->Thread;
	delete Ended;
}

uint64_t ThreadId()
{
	return FPlatformTLS::GetCurrentThreadId();
}

void ThreadName(char* Text, size_t Size)
{
	Copy(FThreadManager::GetThreadName(FPlatformTLS::GetCurrentThreadId()), Text, Size);
}

int AtThreadExit(void (*Function)(void*), void* Value)
{
	ThreadExit.Function = Function;
	ThreadExit.Value = Value;
	return 1;
}

void Sleep(uint64_t Ns)
{
	FPlatformProcess::Sleep(static_cast<float>(static_cast<double>(Ns) * 1e-9));
}

uint64_t Monotonic()
{
	return static_cast<uint64>(FPlatformTime::Seconds() * 1e9);
}

int64_t Utc()
{
	return (FDateTime::UtcNow() - FDateTime(1970, 1, 1)).GetTicks() * 100;
}

int Random(void* Bytes, size_t Size)
{
	for (size_t Done = 0; Done < Size; Done += sizeof(FGuid))
	{
		const FGuid Guid = FGuid::NewGuid();
		FMemory::Memcpy(static_cast<uint8*>(Bytes) + Done, &Guid, FMath::Min(sizeof(FGuid), Size - Done));
	}
	return 1;
}

void Describe(tachy_host_fact Fact, char* Text, size_t Size)
{
	switch (Fact)
	{
	case TACHY_HOST_EXE:
		return Copy(FPlatformProcess::ExecutableName(false), Text, Size);
	case TACHY_HOST_USERNAME:
		return Copy(FPlatformProcess::UserName(), Text, Size);
	case TACHY_HOST_COMPUTER:
		return Copy(FPlatformProcess::ComputerName(), Text, Size);
	case TACHY_HOST_CPU:
		return Copy(FPlatformMisc::GetCPUBrand(), Text, Size);
	case TACHY_HOST_SYSTEM:
		return Copy(FPlatformMisc::GetUBTPlatform(), Text, Size);
	default:
		return Copy(FString(), Text, Size);
	}
}

void Complain(const char* Line)
{
	FPlatformMisc::LowLevelOutputDebugString(*(FString(UTF8_TO_TCHAR(Line)) + TEXT("\n")));
}

} // namespace

void SetTachyHost()
{
	const tachy_host Host = {Allocate,     Release,     MakeLock,   Lock,     Unlock,     MakeEvent,    SetEvent,
	                         WaitForEvent, StartThread, JoinThread, ThreadId, ThreadName, AtThreadExit, Sleep,
	                         Monotonic,    Utc,         Random,     Describe, Complain};
	tachy_set_host(&Host);
}

#else

void SetTachyHost() {}

#endif
