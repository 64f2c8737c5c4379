/* An instrumented program that loads an instrumented shared object: loads_plugin PATH. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  void *const module = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
  void *const symbol = module ? dlsym(module, "plugin") : NULL;
  if (!symbol) return 1;
  int (*plugin)(int);
  memcpy(&plugin, &symbol, sizeof plugin); /* ISO C has no cast from an object's address to a function's */
  printf("%d\n", plugin(3));
  return 0;
}
