/* tachy_span_begin and tachy_span_end of hot.h for gcc on x86-64, in assembler: 160 bytes of a function, where gcc
 * makes 219 of the C there, which says what is meant here. Included by hot.h.
 *
 * An address is the thread's, plus a scope, plus an offset of one byte. What is rare are short jumps to one long one.
 * The two halves of the clock's reading are stored and subtracted as rdtsc leaves them: x86 stores in order, so whoever
 * sees half of an entry also sees the record that ended the old one.
 */
#ifndef TACHY_HOT_X86_64_H
#define TACHY_HOT_X86_64_H

TACHY_STATIC_ASSERT(sizeof(tachy_open_span) == 16 && offsetof(tachy_open_span, site) == 8 &&
                        offsetof(tachy_thread, top) == 0 && offsetof(tachy_thread, span) == 8 &&
                        offsetof(tachy_writer, limit) == 8 && offsetof(tachy_writer, origin) == 16 &&
                        offsetof(tachy_thread, room) == 4 && offsetof(tachy_thread, stack) == 128 &&
                        offsetof(tachy_span_record, duration) == 8 && offsetof(tachy_span_record, word) == 12 &&
                        TACHY_DEPTH_SHIFT == 22,
                    "the numbers below");

/* 17 instructions, one of them for the thread; one more in a shared library (`make bench-native` counts them). In
 * braces stands what -masm=att and -masm=intel spell differently. */
TACHY_INLINE tachy_scope tachy_span_begin(tachy_site *site) {
  tachy_scope scope;
  TACHY_GOTO(
      "mov{l (%q[site]), %k[scope]| %k[scope], [%q[site]]}\n\t" /* the site's number */
      "test %k[scope], %k[scope]\n\t"
      "js 2f\n\t"                                          /* off: the scope is negative, too */
      "je 1f\n\t"                                          /* not registered yet; the test has cleared the carry */
      "mov{l (%q[thread]), %%eax| eax, [%q[thread]]}\n\t"  /* top */
      "cmp{l 4(%q[thread]), %%eax| eax, [%q[thread]+4]}\n" /* room */
      "1:\tjae %l[rare]\n\t"
      "not{l (%q[thread])| DWORD PTR [%q[thread]]}\n\t"                            /* inside a record */
      "mov{l %k[scope], 24(%q[thread],%%rax)| [%q[thread]+rax+24], %k[scope]}\n\t" /* the entry's site */
      "lea{l 16(%%rax), %k[scope]| %k[scope], [rax+16]}\n\t"
      "rdtsc\n\t"
      "mov{l %%eax, (%q[thread],%q[scope])| [%q[thread]+%q[scope]], eax}\n\t" /* the entry's begin */
      "mov{l %%edx, 4(%q[thread],%q[scope])| [%q[thread]+%q[scope]+4], edx}\n\t"
      "mov{l %k[scope], (%q[thread])| [%q[thread]], %k[scope]}\n" /* top */
      "2:"
      : [scope] "=&r"(scope)
      : [site] "r"(&site->id), [thread] "r"(tachy_here_())
      : "rax", "rdx", "cc", "memory"
      : rare);
  return scope;
rare:
  return tachy_span_begin_rare_(site);
}

/* 25 instructions. */
TACHY_INLINE void tachy_span_end(tachy_scope scope) {
  int is_off; /* as a comparison of C it would keep a copy of the scope for the rare call */
  __asm__("test %k1, %k1" : "=@ccle"(is_off) : "r"(scope));
  if (TACHY_UNLIKELY(is_off)) return;
  tachy_open_span *entry;
  TACHY_GOTO(
      "cmp{l (%q[thread]), %k[scope]| %k[scope], [%q[thread]]}\n\t" /* top */
      "jne 1f\n\t"
      "lea{q (%q[thread],%q[scope]), %q[entry]| %q[entry], [%q[thread]+%q[scope]]}\n\t"
      "rdtsc\n\t"
      "sub{l (%q[entry]), %%eax| eax, [%q[entry]]}\n\t" /* its begin */
      "sbb{l 4(%q[entry]), %%edx| edx, [%q[entry]+4]}\n\t"
      "jne 1f\n\t"                                             /* more than 32 bits */
      "not{l (%q[thread])| DWORD PTR [%q[thread]]}\n\t"        /* inside a record */
      "mov{q 8(%q[thread]), %%rdx| rdx, [%q[thread]+8]}\n\t"   /* head */
      "cmp{l 16(%q[thread]), %%edx| edx, [%q[thread]+16]}\n\t" /* limit, which is not 4 GiB away */
      "jne 2f\n"
      "1:\tjmp %l[rare]\n"
      "2:\tadd{q 24(%q[thread]), %%rdx| rdx, [%q[thread]+24]}\n\t" /* origin */
      "mov{l %%eax, 8(%%rdx)| [rdx+8], eax}\n\t"                   /* duration */
      "lea{l -128(%q[scope]), %%eax| eax, [%q[scope]-128]}\n\t"
      "shl{l $18, %%eax| eax, 18}\n\t"
      "or{l 8(%q[entry]), %%eax| eax, [%q[entry]+8]}\n\t" /* site */
      "mov{l %%eax, 12(%%rdx)| [rdx+12], eax}\n\t"        /* word */
      "mov{q (%q[entry]), %%rax| rax, [%q[entry]]}\n\t"
      "mov{q %%rax, (%%rdx)| [rdx], rax}\n\t"                       /* begin */
      "add{q $16, 8(%q[thread])| QWORD PTR [%q[thread]+8], 16}\n\t" /* head */
      "lea{l -16(%q[scope]), %%eax| eax, [%q[scope]-16]}\n\t"
      "mov{l %%eax, (%q[thread])| [%q[thread]], eax}" /* top */
      : [entry] "=&r"(entry)
      : [scope] "r"(scope), [thread] "r"(tachy_here_())
      : "rax", "rdx", "cc", "memory"
      : rare);
  return;
rare:
  tachy_span_end_rare_((int32_t)scope);
}

#endif
