/* What compilers spell differently: inlining, thread-local variables, loads and stores that threads share, and which
 * clock there is. Included by hot.h. */
#ifndef TACHY_COMPILER_H
#define TACHY_COMPILER_H

#include <stdint.h>

/* What tachy_ticks reads; -DTACHY_CLOCK_OS asks for the operating system's. */
#if !defined(TACHY_CLOCK_OS)
#if defined(__x86_64__) || (defined(_M_X64) && !defined(_M_ARM64EC))
#define TACHY_CLOCK_TSC
#elif defined(__aarch64__) && !defined(_WIN32)
#define TACHY_CLOCK_CNTVCT
#else
#define TACHY_CLOCK_OS
#endif
#endif

#if !defined(_MSC_VER) || defined(__clang__)

#define TACHY_INLINE static inline __attribute__((always_inline, no_instrument_function))
#define TACHY_OWN_REGISTERS static __attribute__((noinline)) /* a loop that its caller's variables would crowd */
#define TACHY_RARE __attribute__((cold))                     /* a call of it is moved out of the way */
/* Lies beside the others of its kind. For what runs at a change of chunks: every page of code that is touched then
 * costs 0.3 us. */
#define TACHY_BESIDE __attribute__((hot))
#define TACHY_LIKELY(x) __builtin_expect(!!(x), 1)
#define TACHY_UNLIKELY(x) __builtin_expect(!!(x), 0)
#if defined(__APPLE__) || defined(_WIN32) || defined(__ANDROID__) /* everything there is loaded at run time */
#define TACHY_THREAD_LOCAL __thread
#elif defined(TACHY_STATIC) && (defined(__PIE__) || !defined(__PIC__))
/* in the program itself: one instruction */
#define TACHY_THREAD_LOCAL __attribute__((tls_model("local-exec"))) __thread
#else
/* initial-exec: two instructions instead of a call; 8 bytes of the static TLS reserve, so dlopen still works */
#define TACHY_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) __thread
#endif
#if defined(TACHY_CLOCK_TSC) && defined(__GCC_ASM_FLAG_OUTPUTS__)
#define TACHY_TWO_HALVES 1
typedef uint32_t __attribute__((may_alias)) tachy_half;
#endif
/* gcc 11 and later: assembler that also has results may jump to a label of C. ThreadSanitizer sees nothing of it. */
#if defined(TACHY_CLOCK_TSC) && defined(__LP64__) && !defined(__clang__) && __GNUC__ >= 11 && \
    !defined(__SANITIZE_THREAD__)
#define TACHY_GOTO __asm__ __volatile__ __inline__ goto
#endif
#define TACHY_PREFETCH(p) __builtin_prefetch(p)
/* What follows is compiled to come after what stands before: enough for who interrupts this thread, and no instruction.
 */
#define TACHY_SIGNAL_FENCE() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define TACHY_LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define TACHY_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define TACHY_LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define TACHY_STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
/* Of 32 bits, sequentially consistent; for slow paths. */
#define TACHY_EXCHANGE(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
/* Of 64 bits, the same; 1: *p was `was` and is `v` now. */
#define TACHY_COMPARE_EXCHANGE(p, was, v) __sync_bool_compare_and_swap((p), (was), (v))

#else /* Microsoft's: /std:c11 or /std:c++17 and later */

#include <intrin.h>

#define TACHY_INLINE static __forceinline
#define TACHY_OWN_REGISTERS static __declspec(noinline)
#define TACHY_RARE
#define TACHY_BESIDE
#define TACHY_LIKELY(x) (x)
#define TACHY_UNLIKELY(x) (x)
#define TACHY_THREAD_LOCAL __declspec(thread)
#define TACHY_PREFETCH(p) (void)(p)
#define TACHY_SIGNAL_FENCE() _ReadWriteBarrier()
/* What volatile orders is an option of the compiler (/volatile): so the order is made here. x64 needs no instruction
 * for it. */
#if defined(_M_ARM64) || defined(_M_ARM64EC)
#define TACHY_ORDER_() __dmb(_ARM64_BARRIER_ISH)
#else
#define TACHY_ORDER_() _ReadWriteBarrier()
#endif
#define TACHY_EXCHANGE(p, v) ((uint32_t)_InterlockedExchange((volatile long *)(p), (long)(v)))
#define TACHY_COMPARE_EXCHANGE(p, was, v) \
  (_InterlockedCompareExchange64((volatile __int64 *)(p), (__int64)(v), (__int64)(was)) == (__int64)(was))

#if defined(__cplusplus)
template <class T>
__forceinline T tachy_load_(const volatile T *p) {
  return *p;
}
template <class T>
__forceinline T tachy_acquire_(const volatile T *p) {
  const T value = *p;
  TACHY_ORDER_();
  return value;
}
template <class T, class V>
__forceinline void tachy_store_(volatile T *p, V value) {
  *p = (T)value;
}
template <class T, class V>
__forceinline void tachy_release_(volatile T *p, V value) {
  TACHY_ORDER_();
  *p = (T)value;
}
#define TACHY_LOAD(p) tachy_load_(p)
#define TACHY_STORE(p, v) tachy_store_((p), (v))
#define TACHY_LOAD_ACQUIRE(p) tachy_acquire_(p)
#define TACHY_STORE_RELEASE(p, v) tachy_release_((p), (v))
#else
#define TACHY_SHARED_(name, type)                                                            \
  TACHY_INLINE type tachy_load_##name(const void *p) { return *(const volatile type *)p; }   \
  TACHY_INLINE type tachy_acquire_##name(const void *p) {                                    \
    const type value = *(const volatile type *)p;                                            \
    TACHY_ORDER_();                                                                          \
    return value;                                                                            \
  }                                                                                          \
  TACHY_INLINE void tachy_store_##name(void *p, type value) { *(volatile type *)p = value; } \
  TACHY_INLINE void tachy_release_##name(void *p, type value) {                              \
    TACHY_ORDER_();                                                                          \
    *(volatile type *)p = value;                                                             \
  }
typedef void *tachy_pointer_;
TACHY_SHARED_(u8, uint8_t)
TACHY_SHARED_(i32, int32_t)
TACHY_SHARED_(u32, uint32_t)
TACHY_SHARED_(u64, uint64_t)
TACHY_SHARED_(pointer, tachy_pointer_)
/* By the type of p; whatever else it points to is a pointer. */
#define TACHY_BY_TYPE_(p, what) \
  _Generic((p),                    \
      uint8_t *: what##_u8,        \
      const uint8_t *: what##_u8,  \
      int32_t *: what##_i32,       \
      const int32_t *: what##_i32, \
      uint32_t *: what##_u32,      \
      const uint32_t *: what##_u32,\
      uint64_t *: what##_u64,      \
      const uint64_t *: what##_u64,\
      default: what##_pointer)
#define TACHY_LOAD(p) TACHY_BY_TYPE_(p, tachy_load)(p)
#define TACHY_STORE(p, v) TACHY_BY_TYPE_(p, tachy_store)((p), (v))
#define TACHY_LOAD_ACQUIRE(p) TACHY_BY_TYPE_(p, tachy_acquire)(p)
#define TACHY_STORE_RELEASE(p, v) TACHY_BY_TYPE_(p, tachy_release)((p), (v))
#endif
#endif
#endif
