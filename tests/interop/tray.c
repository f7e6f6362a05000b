/* Does what a player does with a window and its icon in the tray, and waits until that is seen:
 *   tray close TITLE    closes the window with this title; it goes away
 *   tray shown TITLE    the window is there
 *   tray click TITLE    chooses the icon; the window is there
 *   tray quit           opens the icon's menu and takes the last entry
 * Wine's own tray gives every icon a window. */
#include <stdio.h>
#include <windows.h>

static HWND found;

static BOOL CALLBACK meet(HWND window, LPARAM name)
{
    char class[64];
    if (GetClassNameA(window, class, sizeof class) && !lstrcmpA(class, (const char *)name))
        found = window;
    return !found;
}

static BOOL CALLBACK look_into(HWND window, LPARAM name)
{
    meet(window, name);
    if (!found)
        EnumChildWindows(window, meet, name);
    return !found;
}

static HWND of_class(const char *name)
{
    found = NULL;
    EnumWindows(look_into, (LPARAM)name);
    return found;
}

/* Waits until the window is seen, or no more. */
static int wait_for(HWND window, BOOL seen)
{
    for (int tries = 0; tries < 3000; tries++) {
        if (!IsWindowVisible(window) == !seen)
            return 0;
        Sleep(20);
    }
    fprintf(stderr, "the window is still %s\n", seen ? "away" : "there");
    return 1;
}

static int click(UINT down, UINT up)
{
    HWND icon = of_class("__wine_tray_icon");
    if (!icon)
        fprintf(stderr, "no icon\n");
    return icon && PostMessageA(icon, down, 0, 0) && PostMessageA(icon, up, 0, 0) ? 0 : 1;
}

int main(int count, char **words)
{
    const char *deed = count > 1 ? words[1] : "";
    HWND window = count > 2 ? FindWindowA(NULL, words[2]) : NULL;
    if (!lstrcmpA(deed, "close"))
        return !PostMessageA(window, WM_CLOSE, 0, 0) || wait_for(window, FALSE);
    if (!lstrcmpA(deed, "shown"))
        return wait_for(window, TRUE);
    if (!lstrcmpA(deed, "click"))
        return click(WM_LBUTTONDOWN, WM_LBUTTONUP) || wait_for(window, TRUE);
    if (!lstrcmpA(deed, "quit")) {
        HWND owner = of_class("samara-tray"), menu = NULL;
        if (click(WM_RBUTTONDOWN, WM_RBUTTONUP))
            return 1;
        for (int tries = 0; !menu && tries < 3000; tries++, Sleep(20))
            menu = FindWindowA("#32768", NULL);
        return wait_for(menu, TRUE) || !PostMessageA(owner, WM_KEYDOWN, VK_UP, 0)
            || !PostMessageA(owner, WM_KEYDOWN, VK_RETURN, 0);
    }
    return 2;
}
