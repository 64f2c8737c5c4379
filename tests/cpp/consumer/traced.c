/* Two functions, traced without a word about it here. */
static int answer(void) { return 42; }

int main(void) { return answer() == 42 ? 0 : 1; }
