@rem Makes what was unpacked here a program of this user; no administrator is needed. "launcher self remove" takes it back.
@"%~dp0launcher.exe" self setup
@if errorlevel 1 (pause) else (start "" "%LOCALAPPDATA%\Programs\@SLUG@\samara.exe")
