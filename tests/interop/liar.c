/* Stands for a launcher that is none: says that it is well (unless it is built as MUTE), and crashes when it is used. */
#include <stdio.h>
#include <string.h>

int main(int count, char **words)
{
    if (count > 2 && strcmp(words[2], "probe") == 0) {
#ifndef MUTE
        puts("samara launcher is well");
#endif
        return 0;
    }
    *(volatile int *)0 = 0;
    return 0;
}
