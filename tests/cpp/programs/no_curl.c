/* A libcurl of another time: it has nothing of what is looked for. */
int tachy_test_no_curl(void);
int tachy_test_no_curl(void) { return 0; }
