//! The icon in the tray of Windows, and its menu.
//!
//! A hidden window has it, on a thread of its own: neither a menu that stays open nor a shell that does not answer holds up
//! ours. The window is one that is told of a new taskbar, so that the icon outlives the old one.
#![allow(
    unsafe_code,
    reason = "there is no safe call for it; each is given what lives until it has returned"
)]

use std::cell::OnceCell;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use ::windows::Win32::Foundation::{E_FAIL, HINSTANCE, HWND, LPARAM, LRESULT, WPARAM};
use ::windows::Win32::System::LibraryLoader::GetModuleHandleW;
use ::windows::Win32::UI::Shell::{
    NIF_ICON, NIF_MESSAGE, NIF_SHOWTIP, NIF_TIP, NIM_ADD, NIM_DELETE, NIM_SETVERSION, NIN_SELECT,
    NOTIFY_ICON_MESSAGE, NOTIFYICON_VERSION_4, NOTIFYICONDATAW, NOTIFYICONDATAW_0, Shell_NotifyIconW,
};
use ::windows::Win32::UI::WindowsAndMessaging::{
    AppendMenuW, CreateIcon, CreatePopupMenu, CreateWindowExW, DefWindowProcW, DestroyIcon, DestroyMenu,
    DestroyWindow, DispatchMessageW, GetMessageW, HICON, HMENU, MF_SEPARATOR, MF_STRING, MSG, PostMessageW,
    PostQuitMessage, RegisterClassW, RegisterWindowMessageW, SetForegroundWindow, TPM_NONOTIFY,
    TPM_RETURNCMD, TrackPopupMenu, WINDOW_STYLE, WM_APP, WM_CLOSE, WM_CONTEXTMENU, WM_DESTROY, WM_NULL,
    WNDCLASSW, WS_EX_TOOLWINDOW,
};
use ::windows::core::{HSTRING, PCWSTR, Result, w};

use super::{Labels, News, Teller};
use crate::brand::Picture;

/// What the hidden window is, to others.
const CLASS: PCWSTR = w!("samara-tray");
/// The message that the shell tells it something with.
const TOLD: u32 = WM_APP + 1;
/// The player has chosen the icon with the keyboard.
const NIN_KEYSELECT: u32 = NIN_SELECT + 1;

/// Width and height of the icon at most, in pixels: twice what a tray shows without zoom. Windows makes smaller what is
/// larger, and leaves out lines.
const SIDE: u32 = 32;

/// What the menu's entries are called among themselves: none is zero.
const OPEN: usize = 1;
const STOP: usize = 2;
const GO_ON: usize = 3;
const QUIT: usize = 4;

/// An icon, until it is removed.
pub(super) struct Shown {
    /// The hidden window's handle: any thread may send it something.
    window: usize,
    labels: Arc<Mutex<Labels>>,
    thread: JoinHandle<()>,
}

impl Shown {
    /// An icon that says this, and tells what the player does with it, and whether it is there.
    pub(super) fn new(labels: Labels, teller: Teller) -> std::io::Result<Self> {
        let labels = Arc::new(Mutex::new(labels));
        let (to, window) = mpsc::channel();
        let said = labels.clone();
        let thread = std::thread::Builder::new().name("samara-tray".to_owned()).spawn(move || {
            let begun = begin(said, teller);
            let is_begun = begun.is_ok();
            let _ = to.send(begun.map(|window| window.0 as usize));
            if is_begun {
                serve();
            }
        })?;
        let window = window.recv().map_err(std::io::Error::other)??;
        Ok(Self { window, labels, thread })
    }

    /// Has it say something else.
    pub(super) fn say(&self, labels: Labels) {
        // The menu is made when it is asked for; the name stays.
        *self.labels.lock().unwrap_or_else(PoisonError::into_inner) = labels;
    }

    /// It is gone when this returns.
    pub(super) fn remove(self) {
        let window = HWND(self.window as *mut c_void);
        // SAFETY: a window that is gone is an error, no more.
        if unsafe { PostMessageW(Some(window), WM_CLOSE, WPARAM(0), LPARAM(0)) }.is_ok() {
            let _ = self.thread.join();
        }
    }
}

/// What the hidden window knows.
struct Tray {
    labels: Arc<Mutex<Labels>>,
    teller: Teller,
    picture: HICON,
    /// The message that tells of a new taskbar.
    taskbar: u32,
}

thread_local! {
    static TRAY: OnceCell<Tray> = const { OnceCell::new() };
}

/// Makes the window, and its icon.
fn begin(labels: Arc<Mutex<Labels>>, teller: Teller) -> Result<HWND> {
    let drawn = said(&labels).picture().ok_or(E_FAIL)?.within(SIDE);
    // SAFETY: the class is named by a constant, its procedure is a function, and what is pointed to lives on until after the
    // calls.
    let (window, tray) = unsafe {
        let program = HINSTANCE::from(GetModuleHandleW(None)?);
        let class = WNDCLASSW {
            lpfnWndProc: Some(hear),
            hInstance: program,
            lpszClassName: CLASS,
            ..WNDCLASSW::default()
        };
        // It may be there from the time before: a window tells whether it is.
        RegisterClassW(&class);
        let (name, style, program) = (PCWSTR::null(), WINDOW_STYLE(0), Some(program));
        let window =
            CreateWindowExW(WS_EX_TOOLWINDOW, CLASS, name, style, 0, 0, 0, 0, None, None, program, None)?;
        let taskbar = RegisterWindowMessageW(w!("TaskbarCreated"));
        (window, Tray { labels, teller, picture: picture(&drawn)?, taskbar })
    };
    TRAY.with(|known| {
        let tray = known.get_or_init(|| tray);
        tray.show(window);
    });
    Ok(window)
}

/// Gives the window what it is told, until it is closed.
fn serve() {
    let mut message = MSG::default();
    // SAFETY: it is this thread's own.
    unsafe {
        while GetMessageW(&mut message, None, 0, 0).0 > 0 {
            DispatchMessageW(&message);
        }
    }
    TRAY.with(|tray| {
        if let Some(tray) = tray.get() {
            // SAFETY: nothing shows it any more.
            let _ = unsafe { DestroyIcon(tray.picture) };
        }
    });
}

/// What the window does when it is told something.
extern "system" fn hear(window: HWND, message: u32, what: WPARAM, more: LPARAM) -> LRESULT {
    let heard = TRAY.try_with(|tray| tray.get().is_some_and(|tray| tray.hear(window, message, what, more)));
    if heard.unwrap_or(false) {
        return LRESULT(0);
    }
    // SAFETY: as it was given to us.
    unsafe { DefWindowProcW(window, message, what, more) }
}

impl Tray {
    /// Whether that was for us.
    fn hear(&self, window: HWND, message: u32, what: WPARAM, more: LPARAM) -> bool {
        match message {
            // Since the fourth version the lower half says what has happened, and the other word where.
            TOLD => match low(more.0 as usize) as u32 {
                NIN_SELECT | NIN_KEYSELECT => self.teller.tell(News::Open),
                WM_CONTEXTMENU => {
                    // Left of a first screen, or above it, is less than nothing.
                    let (x, y) = (low(what.0) as i16, low(what.0 >> 16) as i16);
                    match self.ask(window, x.into(), y.into()) {
                        Ok(chosen) => chosen.into_iter().for_each(|news| self.teller.tell(news)),
                        Err(error) => tracing::info!(%error, "the tray has no menu"),
                    }
                }
                _ => {}
            },
            WM_CLOSE => {
                self.notify(NIM_DELETE, window);
                // SAFETY: this thread has made it.
                let _ = unsafe { DestroyWindow(window) };
            }
            WM_DESTROY => {
                self.teller.tell(News::Tray(false));
                // SAFETY: it ends this thread's own loop.
                unsafe { PostQuitMessage(0) };
            }
            _ if message == self.taskbar => self.show(window),
            _ => return false,
        }
        true
    }

    /// Puts the icon into the tray, and tells whether there is one.
    fn show(&self, window: HWND) {
        let is_there = self.notify(NIM_ADD, window) && self.notify(NIM_SETVERSION, window);
        if !is_there {
            tracing::info!("nobody shows icons in a tray");
        }
        self.teller.tell(News::Tray(is_there));
    }

    fn notify(&self, what: NOTIFY_ICON_MESSAGE, window: HWND) -> bool {
        let mut icon = NOTIFYICONDATAW {
            cbSize: size_of::<NOTIFYICONDATAW>() as u32,
            hWnd: window,
            uID: 1,
            uFlags: NIF_ICON | NIF_MESSAGE | NIF_TIP | NIF_SHOWTIP,
            uCallbackMessage: TOLD,
            hIcon: self.picture,
            Anonymous: NOTIFYICONDATAW_0 { uVersion: NOTIFYICON_VERSION_4 },
            ..NOTIFYICONDATAW::default()
        };
        // A zero stays behind it.
        let room = icon.szTip.len() - 1;
        let name = said(&self.labels).name;
        for (to, letter) in icon.szTip[..room].iter_mut().zip(name.encode_utf16()) {
            *to = letter;
        }
        // SAFETY: it is as long as it says.
        unsafe { Shell_NotifyIconW(what, &icon) }.as_bool()
    }

    /// Shows the menu there; what the player chooses of it.
    fn ask(&self, window: HWND, x: i32, y: i32) -> Result<Option<News>> {
        // (Nothing is locked while it is open: the window hears on.)
        let labels = said(&self.labels);
        let stop =
            if labels.is_stopped { (GO_ON, labels.go_on.as_str()) } else { (STOP, labels.stop.as_str()) };
        let entries = [(OPEN, labels.open.as_str()), stop, (0, ""), (QUIT, &labels.quit)];
        // SAFETY: menu and window are this thread's own.
        let chosen = unsafe {
            let menu = CreatePopupMenu()?;
            // Only a window in front is told of a click beside its menu.
            let _ = SetForegroundWindow(window);
            let shown = fill(menu, &entries)
                .map(|()| TrackPopupMenu(menu, TPM_RETURNCMD | TPM_NONOTIFY, x, y, None, window, None));
            let _ = DestroyMenu(menu);
            // The menu would stay open the second time if nothing came after it.
            let _ = PostMessageW(Some(window), WM_NULL, WPARAM(0), LPARAM(0));
            shown?
        };
        Ok(news(chosen.0 as usize))
    }
}

/// Puts entries into the menu: by their number and text, or, with none, a line.
///
/// # Safety
/// It is a menu.
unsafe fn fill(menu: HMENU, entries: &[(usize, &str)]) -> Result<()> {
    for (number, text) in entries {
        let kind = if *number == 0 { MF_SEPARATOR } else { MF_STRING };
        // This letter would mark a key.
        let text = HSTRING::from(text.replace('&', "&&"));
        // SAFETY: the text is copied.
        unsafe { AppendMenuW(menu, kind, *number, &text) }?;
    }
    Ok(())
}

fn said(labels: &Mutex<Labels>) -> Labels {
    labels.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The lower half of a double word.
fn low(word: usize) -> u16 {
    (word & 0xffff) as u16
}

/// What an entry of the menu asks for.
fn news(entry: usize) -> Option<News> {
    match entry {
        OPEN => Some(News::Open),
        STOP => Some(News::StopAll(true)),
        GO_ON => Some(News::StopAll(false)),
        QUIT => Some(News::Quit),
        _ => None,
    }
}

/// The same as Windows draws it.
fn picture(drawn: &Picture) -> Result<HICON> {
    let (width, height) = (drawn.width as usize, drawn.height as usize);
    let pixels = drawn.rgba.chunks_exact(4);
    let colours: Vec<u8> = pixels
        .flat_map(|pixel| match *pixel {
            [red, green, blue, opacity] => [blue, green, red, opacity],
            _ => [0; 4],
        })
        .collect();
    // What is seen through is in the colours; a row of the mask is of whole words.
    let mask = vec![0; width.div_ceil(16) * 2 * height];
    let (across, down) = (drawn.width as i32, drawn.height as i32);
    // SAFETY: both are as long as width, height and depth say.
    unsafe { CreateIcon(None, across, down, 1, 32, mask.as_ptr(), colours.as_ptr()) }
}
