//! The real window: the edge between views, shell, engine, disk and clock.

mod away;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use eframe::egui::{self, CentralPanel, Context, Frame, Key, Margin, Modifiers, ViewportCommand};
use tokio::sync::mpsc::error::TrySendError;

use crate::brand::{Brand, Picture};
use crate::engine::{Command, Engine, EngineHandle, Failure, Happened, Options, Outcome};
use crate::error::LaunchError;
use crate::gui::artist::Artist;
use crate::gui::desktop::Desktop;
use crate::gui::dress::{self, Dress};
use crate::gui::own::OwnUpdates;
use crate::gui::saver::{self, Answer, Saver, Work};
use crate::gui::single::{self, Instance};
use crate::gui::text::{Language, Texts};
use crate::gui::view::{Scene, Screen, UiState, View};
use crate::gui::{screens, theme};
use crate::recent::Recent;
use crate::shell::links::FILE_ENDING;
use crate::shell::record::RecordError;
use crate::shell::store::{self, Store, StoreError};
use crate::shell::{Action, Desk, Effect, Library, Queue, Settings};

use away::Away;

/// How soon something is looked at again that is told of by nobody.
const SOON: Duration = Duration::from_millis(100);
/// A repaint that is asked for without delay comes twice, so that views settle; what the engine tells changes none.
const ONCE: Duration = Duration::from_millis(1);
/// What the engine has not ended within this after the window was closed is left to the next start.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// How often the repositories are asked what is new.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// The schedule goes by minutes.
const MINUTE: Duration = Duration::from_secs(60);

/// How the window ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// As the player wanted.
    Quit,
    /// There was one already, which took what was to be opened.
    HandedOver,
    /// The launcher is to be started anew, with another version.
    Restart,
}

/// Opens the window, and returns when it was closed and the engine has ended. `open` is a link or a file that was opened
/// with it, or nothing. When there is a window already, that one opens it, and this returns at once. `recent` is what the
/// player gets for who helps him.
///
/// # Errors
/// There is no place for the launcher's records, no engine, or no window.
pub fn run(open: &str, recent: Recent) -> Result<Closed, LaunchError> {
    let folder = Store::usual_folder(|name| std::env::var_os(name))
        .ok_or_else(|| LaunchError::internal("the system names no folder for this user's data"))?;
    let store = Store::open(folder)?;
    let Some(instance) = single::begin(store.folder(), open)? else { return Ok(Closed::HandedOver) };
    let (brand, notice) = dress::brand();
    let name = brand.name.clone();
    let viewport = dress::viewport(&brand)
        .with_app_id("samara")
        .with_inner_size([1100.0, 760.0])
        .with_min_inner_size([640.0, 480.0]);
    let options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    let restart = Arc::new(AtomicBool::new(false));
    let own = OwnUpdates::new(restart.clone());
    let create = |creation: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        Ok(Box::new(Window::open(
            &creation.egui_ctx,
            store,
            (instance, open.to_owned()),
            (brand, notice),
            own,
            recent,
        )?))
    };
    eframe::run_native(&name, options, Box::new(create))
        .map_err(|error| LaunchError::internal(format!("opening the window: {error}")))?;
    Ok(if restart.load(Ordering::Relaxed) { Closed::Restart } else { Closed::Quit })
}

struct Window {
    desk: Desk,
    state: UiState,
    dress: Dress,
    texts: Texts,
    engine: Option<EngineHandle>,
    /// Commands that the engine's inbox had no room for.
    waiting: Vec<Command>,
    saver: Saver,
    /// False when the records are a newer launcher's: they stay as they are.
    may_save: bool,
    settings_shown: Option<Settings>,
    /// When the repositories are asked again; none before the first time.
    look_at: Option<Instant>,
    /// The window was closed, and the engine has until then.
    closing: Option<Instant>,
    instance: Instance,
    desktop: Desktop,
    away: Away,
    /// The brand's, for the tray.
    icon: Option<Arc<Picture>>,
    /// What was opened: with this start, then with others.
    opened: mpsc::Receiver<String>,
    own: OwnUpdates,
    recent: Recent,
    artist: Artist,
}

impl Window {
    fn open(
        ctx: &Context,
        store: Store,
        (mut instance, open): (Instance, String),
        (brand, mut notice): (Brand, Option<Failure>),
        own: OwnUpdates,
        recent: Recent,
    ) -> Result<Self, LaunchError> {
        let (opened_to, opened) = mpsc::channel();
        if !open.is_empty() {
            let _ = opened_to.send(open);
        }
        let awake = ctx.clone();
        instance.answer(move |open| {
            let _ = opened_to.send(open);
            awake.send_viewport_cmd(ViewportCommand::Visible(true));
            awake.send_viewport_cmd(ViewportCommand::Minimized(false));
            awake.send_viewport_cmd(ViewportCommand::Focus);
            awake.request_repaint();
        });
        theme::install(ctx);
        // Who holds a button for long means it all the same.
        ctx.options_mut(|options| options.input_options.max_click_duration = f64::INFINITY);
        let library = read(&store, store::LIBRARY, Library::decode, &mut notice);
        let settings = read(&store, store::SETTINGS, Settings::decode, &mut notice);
        notice = notice.or_else(OwnUpdates::notice);
        let queue = read(&store, store::QUEUE, Queue::decode, &mut notice);
        let games_folder = store.folder().join("games");
        let mut desk = Desk::new(library, settings, queue, games_folder);
        (desk.world.online, desk.world.in_front) = (true, true);
        desk.own_game = brand.update.as_ref().map(|update| update.game.clone());
        if desk.settings.is_first_run() {
            match dress::brought(&brand, &store) {
                Ok(brought) => brought.into_iter().for_each(|brought| desk.bring(brought)),
                Err(error) => notice = Some((&error).into()),
            }
        }
        // No minute of a day: the first look at the clock begins what is waiting.
        desk.world.minute = u16::MAX;
        let awake = ctx.clone();
        let artist = Artist::start(move || awake.request_repaint_after(ONCE));
        let awake = ctx.clone();
        let options = Options {
            listen: Some(([0, 0, 0, 0], 0).into()),
            wait: true,
            wake: Some(Arc::new(move || awake.request_repaint_after(ONCE))),
            ..Options::default()
        };
        let may_save = notice.as_ref().is_none_or(|notice| notice.code != "E-LIBRARY-NEWER");
        if may_save {
            Store::sweep_pictures(&desk.art_folder(), &desk.pictures());
        }
        let language = desk.settings.language.clone().unwrap_or_else(system_language);
        let away = Away { starts: desk.settings.start_minimised, ..Away::default() };
        Ok(Self {
            desk,
            dress: Dress::new(ctx, &brand),
            state: UiState { notice, ..UiState::default() },
            texts: Texts::new(Language::of(&language)),
            engine: Some(Engine::start(options)?),
            waiting: Vec::new(),
            may_save,
            saver: Saver::start(store, ctx.clone()),
            settings_shown: None,
            look_at: None,
            closing: None,
            instance,
            desktop: Desktop::new(ctx.clone(), brand.slug()),
            away,
            icon: brand.icon.map(Arc::new),
            opened,
            own,
            recent,
            artist,
        })
    }

    /// What has happened since the last frame.
    fn listen(&mut self, ctx: &Context) {
        let mut effects = Vec::new();
        self.own.listen();
        self.artist.listen(ctx);
        let minute = minute_of_day();
        if self.desk.world.minute != minute {
            self.desk.world.minute = minute;
            effects.extend(self.desk.step());
            self.saver.ask(Work::Power);
        }
        let has_focus = ctx.input(|input| input.viewport().focused.unwrap_or(true));
        let in_front = has_focus && !self.away.is_away;
        if self.desk.world.in_front != in_front {
            self.desk.world.in_front = in_front;
            effects.extend(self.desk.step());
        }
        while let Ok(open) = self.opened.try_recv() {
            self.away.is_away = false;
            if open.ends_with(FILE_ENDING) {
                self.saver.ask(Work::Read(open.into()));
            } else if !open.is_empty() {
                effects.extend(self.desk.open(&open));
            }
        }
        let files = ctx.input_mut(|input| std::mem::take(&mut input.raw.dropped_files));
        if let Some(work) = saver::dropped(&files) {
            self.saver.ask(work);
        }
        effects.extend(self.hear_desktop(ctx));
        while let Ok(answer) = self.saver.answers.try_recv() {
            match answer {
                Answer::Pinned(new, root) => {
                    // Its fingerprint, or what is wrong with it, is there.
                    self.state.screen = Screen::Add;
                    self.desk.pinned(new, root);
                }
                Answer::Room(game, free_bytes) => self.desk.room(game, free_bytes),
                Answer::Battery(on_battery) => {
                    self.desk.world.on_battery = on_battery;
                    effects.extend(self.desk.step());
                }
            }
        }
        let now = Instant::now();
        if ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::F5)) {
            self.look_at = None;
        }
        if self.look_at.is_none_or(|at| at <= now) && !self.desk.settings.is_first_run() {
            self.look_at = Some(now + LOOK_EVERY);
            effects.extend(self.desk.look_around());
            self.own.look(&self.desk, ctx);
            ctx.request_repaint_after(LOOK_EVERY);
        }
        if let Some(engine) = &mut self.engine {
            while let Ok(event) = engine.events.try_recv() {
                if let Happened::Done { outcome, .. } = &event.what
                    && let Outcome::Pictured(pictured) = &**outcome
                {
                    self.artist.fetched(pictured);
                }
                effects.extend(self.desk.hear(&event));
            }
            let snapshot = engine.snapshot.borrow().clone();
            effects.extend(self.desk.see(&snapshot.playing));
            self.desk.watch(&snapshot, Duration::from_secs_f64(ctx.input(|input| input.time).max(0.0)));
            let tasks = self.desk.queue.items().iter().filter_map(|item| snapshot.task(item.task()?));
            // Its end is on the way: the snapshot was first.
            if tasks.into_iter().any(|task| task.phase.is_final()) {
                ctx.request_repaint_after(SOON);
            }
        }
        if !self.desk.queue.items().is_empty() {
            ctx.request_repaint_after(MINUTE);
        }
        self.perform(ctx, effects);
    }

    /// A window that is closed is gone at once; the program ends when the engine has, or has had its time.
    fn close(&mut self, ctx: &Context) {
        if ctx.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Q)) {
            self.away.quits = true;
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        let asked = ctx.input(|input| input.viewport().close_requested());
        if self.closing.is_none() && asked && self.stays_in_tray() {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            return self.go_away(ctx);
        }
        let now = Instant::now();
        if self.closing.is_none() && asked {
            self.closing = Some(now + CLOSE_WITHIN);
            self.instance.leave();
            ctx.send_viewport_cmd(ViewportCommand::Visible(false));
            if let Some(engine) = &self.engine {
                // It pauses everything; what is downloaded is kept, and the queue goes on with the next start.
                let _ = engine.commands.try_send(Command::Shutdown);
            }
        }
        let Some(end) = self.closing else { return };
        let is_over = self.engine.as_ref().is_none_or(|engine| engine.thread.is_finished());
        // In the tray of Windows an icon outlives its program until the pointer meets it.
        let leaves_icon = cfg!(windows) && self.away.has_tray;
        if is_over && !leaves_icon || now >= end {
            if !asked {
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
        } else {
            if asked {
                ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            }
            ctx.request_repaint_after(SOON);
        }
    }

    fn view(&self) -> View {
        let snapshot =
            self.engine.as_ref().map(|engine| engine.snapshot.borrow().clone()).unwrap_or_default();
        let of_desk = View::of(&self.desk, &self.state, &snapshot);
        View { own: self.own.view(), guise: self.dress.guise.clone(), art: self.artist.shelf(), ..of_desk }
    }

    fn perform(&mut self, ctx: &Context, effects: Vec<Effect>) {
        for effect in effects {
            let desk = &self.desk;
            match effect {
                Effect::Engine(command) => self.waiting.push(command),
                Effect::SaveLibrary if self.may_save => {
                    self.saver.save(store::LIBRARY, desk.library.encode());
                }
                Effect::SaveSettings if self.may_save => {
                    self.saver.save(store::SETTINGS, desk.settings.encode());
                }
                Effect::SaveQueue if self.may_save => self.saver.save(store::QUEUE, desk.queue.encode()),
                Effect::SaveLibrary | Effect::SaveSettings | Effect::SaveQueue => {}
                Effect::Keep(new, bytes) => self.saver.ask(Work::Keep(new, bytes)),
                Effect::Pin(new) => self.saver.ask(Work::Pin(new)),
                Effect::Room(game, folder) => self.saver.ask(Work::Room(game, folder)),
                Effect::Choose(place, start, below) => {
                    self.desktop.choose(place, self.texts.say("choose-folder"), start, below);
                }
                Effect::Tell(tiding) => self.tell(&tiding),
                Effect::Copy(text) => ctx.copy_text(format!("{text}\n\n{}", self.recent.text())),
                Effect::Own(deed) => self.own.perform(deed, &desk.settings, ctx),
            }
        }
        let Some(engine) = &self.engine else { return };
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        for command in waiting.by_ref() {
            if let Err(TrySendError::Full(command)) = engine.commands.try_send(command) {
                self.waiting.push(command);
                break;
            }
        }
        self.waiting.extend(waiting);
        if !self.waiting.is_empty() {
            ctx.request_repaint_after(SOON);
        }
    }
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.listen(ctx);
        self.close(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        if self.settings_shown.as_ref() != Some(&self.desk.settings) {
            let settings = &self.desk.settings;
            theme::choose(&ctx, settings.theme, settings.zoom_percent, settings.animations);
            let language = Language::of(&settings.language.clone().unwrap_or_else(system_language));
            if language != self.texts.language() {
                self.texts = Texts::new(language);
            }
            self.settings_shown = Some(settings.clone());
        }
        let view = self.view();
        let mut actions: Vec<Action> = Vec::new();
        let before = (self.state.screen, self.state.query.clone());
        let frame = Frame::central_panel(ui.style()).inner_margin(Margin::same(theme::tokens::EDGE));
        CentralPanel::default().frame(frame).show(ui, |ui| {
            let mut scene =
                Scene { texts: &self.texts, view: &view, state: &mut self.state, actions: &mut actions };
            screens::show(ui, &mut scene);
        });
        self.artist.see(std::mem::take(&mut self.state.wanted));
        for action in actions {
            let effects = self.desk.act(action);
            self.perform(&ctx, effects);
            ctx.request_repaint();
        }
        self.own.drawn(&ctx);
        // What was looked up belongs to what was shown before.
        if before != (self.state.screen, self.state.query.clone()) {
            ctx.request_repaint();
        }
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        // An engine that has not ended goes with the process; the next start finishes what it left.
        if let Some(engine) = self.engine.take().filter(|engine| engine.thread.is_finished()) {
            let _ = engine.thread.join();
        }
        self.saver.finish();
    }
}

fn read<T: Default>(
    store: &Store,
    name: &str,
    decode: impl FnOnce(&[u8]) -> Result<T, RecordError>,
    notice: &mut Option<Failure>,
) -> T {
    match store.get(name, decode) {
        Ok(record) => record.unwrap_or_default(),
        Err(error) => {
            *notice = Some(told(&error));
            T::default()
        }
    }
}

fn told(error: &StoreError) -> Failure {
    Failure { code: error.code(), message: error.to_string(), advice: "Add the games again." }
}

fn minute_of_day() -> u16 {
    let now = jiff::Zoned::now();
    let minute = i16::from(now.hour()) * 60 + i16::from(now.minute());
    u16::try_from(minute).unwrap_or_default()
}

fn system_language() -> String {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(|name| std::env::var(name).ok());
    set.unwrap_or_default()
}
