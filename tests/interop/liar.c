/* Stands for a launcher that is none: says that it is well (unless it is built as MUTE), and crashes when it is used, or,
 * built as ENDS, ends, or, built as HANGS, does nothing for ever. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

int main(int count, char **words)
{
    if (count > 2 && strcmp(words[2], "probe") == 0) {
#ifndef MUTE
        puts("samara launcher is well");
#endif
        return 0;
    }
#ifdef HANGS
    Sleep(INFINITE);
#elif defined(ENDS)
    return 3;
#else
    *(volatile int *)0 = 0;
#endif
    return 0;
}
