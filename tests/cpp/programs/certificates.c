/* Preloaded: whoever reads the system's certificates reads the file CERTIFICATES of the environment instead. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_instead(const char *name, const char *path, const char *mode) {
  FILE *(*function)(const char *, const char *) = NULL;
  *(void **)&function = dlsym(RTLD_NEXT, name);
  return function(strcmp(path, "/etc/ssl/certs/ca-certificates.crt") == 0 ? getenv("CERTIFICATES") : path, mode);
}

FILE *fopen(const char *path, const char *mode) { return open_instead("fopen", path, mode); }
FILE *fopen64(const char *path, const char *mode) { return open_instead("fopen64", path, mode); }
