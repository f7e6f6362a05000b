//! What the downloads' screen shows: the queue, how far each is, where its bytes come from and what bounds it.

use std::time::Duration;

use crate::engine::{Phase, Snapshot, SourceBytes, TaskView};
use crate::shell::desk::Desk;
use crate::shell::pace::Beat;
use crate::shell::queue::{Item, Job};
use crate::shell::settings::Consent;
use crate::shell::views::GameView;
use crate::shell::why::{Sample, Why, why};

/// The parts of an operation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What is new, and what is on the disk.
    Check,
    /// Fetching what is missing.
    Download,
    /// Making files of it, and comparing every one with its signed hash.
    Verify,
    /// Putting them in their places.
    Apply,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Check, Self::Download, Self::Verify, Self::Apply];

    /// The part that a phase belongs to.
    #[must_use]
    pub fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Checking | Phase::Scanning => Some(Self::Check),
            Phase::Downloading => Some(Self::Download),
            Phase::Rebuilding => Some(Self::Verify),
            Phase::Applying | Phase::Recovering | Phase::Removing => Some(Self::Apply),
            Phase::Waiting | Phase::Seeding | Phase::Paused | Phase::Done | Phase::Failed => None,
        }
    }
}

/// How far a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Not begun.
    Open,
    /// In it: per cent where that can be told.
    Now(Option<u8>),
    /// Behind it.
    Done,
}

/// One entry of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// The game.
    pub game: GameView,
    /// What for.
    pub job: Job,
    /// How far each part is, in the order of [`Stage::ALL`].
    pub reached: [Reached; 4],
    /// Where its bytes came from until now.
    pub sources: SourceBytes,
    /// Bytes per second sent to others.
    pub upload_rate: u64,
    /// Bytes sent to others.
    pub uploaded_bytes: u64,
    /// Peers connected.
    pub peers: usize,
    /// What bounds it, while it fetches.
    pub why: Option<Why>,
}

impl Desk {
    /// Looks at the engine: how fast it is. Call it for every snapshot, with the time since any fixed moment.
    pub fn watch(&mut self, snapshot: &Snapshot, now: Duration) {
        let ours = || self.queue.items().iter().filter_map(|item| snapshot.task(item.task()?));
        let running = || ours().filter(|view| !view.phase.is_final());
        let receives = running().any(|view| view.phase == Phase::Downloading);
        let beat = Beat {
            network: running().map(|view| view.download_rate).sum(),
            disk: running().map(|view| view.progress_rate).sum(),
            upload: running().map(|view| view.upload_rate).sum(),
        };
        self.pace.note(now, beat, receives);
        self.now = now;
    }

    /// The queue as it is shown.
    #[must_use]
    pub fn downloads(&self, snapshot: &Snapshot) -> Vec<Download> {
        self.queue.items().iter().filter_map(|item| self.download(item, snapshot)).collect()
    }

    fn download(&self, item: &Item, snapshot: &Snapshot) -> Option<Download> {
        let game = self.game(item.game, snapshot)?;
        let view = item.task().and_then(|task| snapshot.task(task));
        let phase = view.map_or(Phase::Waiting, |view| view.phase);
        let (done, total) = view.map_or((0, 0), |view| (view.done_bytes, view.total_bytes));
        Some(Download {
            game,
            job: item.job,
            reached: reached(phase, done, total),
            sources: view.map(|view| view.sources).unwrap_or_default(),
            upload_rate: view.map_or(0, |view| view.upload_rate),
            uploaded_bytes: view.map_or(0, |view| view.uploaded_bytes),
            peers: view.map_or(0, |view| view.peers),
            why: view.filter(|view| view.phase == Phase::Downloading).map(|view| self.why(view)),
        })
    }

    fn why(&self, view: &TaskView) -> Why {
        let rates = self.queue.rates(&self.world, &self.settings);
        let from_peers = view.sources.lan + view.sources.all_peers();
        // Nobody tells the rates by source: they are taken to be as the sums are.
        let share = |part: u64| {
            let parts = u128::from(view.download_rate) * u128::from(part);
            u64::try_from(parts / u128::from(view.sources.network().max(1))).unwrap_or(u64::MAX)
        };
        why(&Sample {
            download_rate: view.download_rate,
            cap: rates.download,
            playing: !self.world.playing.is_empty(),
            disk_busy_percent: view.busy.disk,
            cpu_busy_percent: view.busy.processor,
            peers: view.peers,
            peer_rate: share(from_peers),
            server_rate: share(view.sources.web),
            peers_allowed: self.settings.sharing == Consent::Yes,
            line_best: self.pace.best(),
            silent_for: self.pace.silent_for(self.now),
        })
    }
}

/// How far each part is.
fn reached(phase: Phase, done: u64, total: u64) -> [Reached; 4] {
    let Some(now) = Stage::of(phase) else { return [Reached::Open; 4] };
    let percent = done.min(total).saturating_mul(100).checked_div(total);
    Stage::ALL.map(|stage| match stage.cmp(&now) {
        std::cmp::Ordering::Less => Reached::Done,
        std::cmp::Ordering::Equal => Reached::Now(percent.and_then(|percent| u8::try_from(percent).ok())),
        std::cmp::Ordering::Greater => Reached::Open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::deeds::Action;
    use crate::shell::library::{GameKey, tests::game};
    use crate::shell::state::Does;

    #[test]
    fn the_parts_come_one_after_the_other() {
        use Reached::{Done, Now, Open};
        for (phase, done, total, expected) in [
            (Phase::Waiting, 0, 0, [Open, Open, Open, Open]),
            (Phase::Checking, 0, 0, [Now(None), Open, Open, Open]),
            (Phase::Scanning, 1, 2, [Now(Some(50)), Open, Open, Open]),
            (Phase::Downloading, 3, 2, [Done, Now(Some(100)), Open, Open]),
            (Phase::Rebuilding, 0, 9, [Done, Done, Now(Some(0)), Open]),
            (Phase::Applying, u64::MAX, u64::MAX, [Done, Done, Done, Now(Some(1))]),
            (Phase::Failed, 1, 2, [Open, Open, Open, Open]),
        ] {
            assert_eq!(reached(phase, done, total), expected, "{phase:?}");
        }
    }

    #[test]
    fn a_download_tells_its_sources_and_what_bounds_it() {
        let mut desk = Desk::default();
        desk.world.online = true;
        desk.library.add(game("freeciv", "Freeciv")).unwrap();
        desk.act(Action::Press(GameKey(1), Does::Install));
        let task = desk.queue.items()[0].task().unwrap();
        let mut snapshot = Snapshot::default();
        assert_eq!(desk.downloads(&snapshot)[0].why, None, "nothing is known yet");
        let mut view = TaskView::waiting(task, "/games/freeciv".into(), None);
        (view.phase, view.download_rate, view.sources.web) = (Phase::Downloading, 100, 5);
        (view.done_bytes, view.total_bytes) = (1, 4);
        snapshot.tasks.push(view);
        desk.watch(&snapshot, Duration::from_secs(1));
        let shown = desk.downloads(&snapshot);
        assert_eq!(shown[0].reached[1], Reached::Now(Some(25)));
        assert_eq!((shown[0].sources.web, shown[0].why), (5, Some(Why::Line)), "its best so far");
        snapshot.tasks[0].download_rate = 50;
        desk.watch(&snapshot, Duration::from_secs(2));
        assert_eq!(desk.downloads(&snapshot)[0].why, Some(Why::NoPeersAllowed));
        snapshot.tasks[0].busy.processor = Some(90);
        assert_eq!(desk.downloads(&snapshot)[0].why, Some(Why::Processor));
        snapshot.tasks[0].busy.disk = Some(90);
        assert_eq!(desk.downloads(&snapshot)[0].why, Some(Why::Disk));
        desk.settings.sharing = Consent::Yes;
        desk.settings.limits.background_download = Some(51);
        assert_eq!(desk.downloads(&snapshot)[0].why, Some(Why::Cap { limit: 51 }));
        assert_eq!(desk.pace.beats().len(), 2);
    }
}
