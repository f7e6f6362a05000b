/* Stands for a game on Windows: runs until there is a file "gate" beside the records of the player's programs. */
#include <windows.h>

int main(void)
{
    char path[MAX_PATH];
    DWORD length = GetEnvironmentVariableA("LOCALAPPDATA", path, MAX_PATH - 8);
    if (length == 0 || length > MAX_PATH - 8)
        return 1;
    lstrcatA(path, "\\gate");
    while (GetFileAttributesA(path) == INVALID_FILE_ATTRIBUTES)
        Sleep(20);
    return 0;
}
