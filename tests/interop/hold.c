/* Another program on Windows: opens files for reading, says so, and closes them when its input ends.
 *   hold SHARE PATH...   what others may do meanwhile is in SHARE: r(ead), w(rite), d(elete and rename) */
#include <stdio.h>
#include <windows.h>

int wmain(int count, wchar_t **words)
{
    DWORD share = 0;
    for (const wchar_t *at = count > 1 ? words[1] : L""; *at; at++)
        share |= *at == 'r' ? FILE_SHARE_READ : *at == 'w' ? FILE_SHARE_WRITE : FILE_SHARE_DELETE;
    for (int at = 2; at < count; at++)
        /* With this flag folders, too. */
        if (CreateFileW(words[at], GENERIC_READ, share, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL)
            == INVALID_HANDLE_VALUE) {
            printf("path %d: error %lu\n", at - 1, GetLastError());
            return 1;
        }
    puts("holding");
    fflush(stdout);
    return getchar() == EOF ? 0 : 2;
}
