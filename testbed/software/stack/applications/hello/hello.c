#include <stdio.h>

int main(void) {
  puts("hello " VERSION);
  return 0;
}
