//! Install and update: find out what is current, become it, remember where it came from.

use std::path::Path;
use std::sync::Arc;

use manifests::apply;
use manifests::folder::{InstallDir, PRIVATE};
use manifests::plan::PlanOptions;
use manifests::release::GameId;
use manifests::verify::Depth;

use crate::engine::board::Task;
use crate::engine::change;
use crate::engine::command::{DEFAULT_CHANNEL, Install, Preference, Select, Sources, Update};
use crate::engine::content;
use crate::engine::context::Context;
use crate::engine::goal::Goal;
use crate::engine::meter::{blocking, opening, tell_recovered};
use crate::engine::packs::keep;
use crate::engine::record::{self, Before, Record};
use crate::engine::releases::{self, Found, Question};
use crate::engine::repository::Repository;
use crate::engine::seed::manifest_in_place;
use crate::engine::snapshot::{Phase, SourceBytes, Summary};
use crate::error::LaunchError;

const ROOT_FILE: &str = "root.json";
const ROOT_LEN_MAX: u64 = 512 << 10;

/// What install and update have in common once the folder is open.
pub(crate) struct Intent {
    pub(crate) dir: Arc<InstallDir>,
    repo: Repository,
    root: Vec<u8>,
    pub(crate) game: GameId,
    pub(crate) select: Select,
    /// The channel that later updates follow.
    channel: String,
    depth: Depth,
    sources: Sources,
    accept_expired: bool,
    pub(crate) way: Preference,
    /// A halted channel holds back an update, not a first install.
    update: bool,
}

impl Intent {
    /// What the repository is asked.
    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            repo: &self.repo,
            root: &self.root,
            game: &self.game,
            select: &self.select,
            accept_expired: self.accept_expired,
        }
    }

    /// What is to be reached, as the repository answered.
    pub(crate) fn goal(&self, found: &Found) -> Goal {
        Goal {
            dir: self.dir.clone(),
            repo: self.repo.clone(),
            target: found.target.clone(),
            hints: found.hints.clone(),
            sources: self.sources,
            depth: self.depth,
            options: PlanOptions::default(),
            ways: found.ways.clone(),
            way: self.way.clone(),
        }
    }
}

/// Installs a game, or goes on with an install that was stopped.
pub(crate) async fn install(
    context: &Context,
    task: &Task,
    request: Install,
) -> Result<(Arc<InstallDir>, Summary), LaunchError> {
    let path = request.dir.clone();
    let before = Before::look(&path);
    let done = Box::pin(async { follow(context, task, to_install(task, request).await?).await }).await;
    if done.is_err() && !has_staged(&path) {
        before.restore(&path);
    }
    done
}

/// Whether the failed run left something that the next one can use.
fn has_staged(path: &Path) -> bool {
    let staging = path.join(PRIVATE).join("staging");
    std::fs::read_dir(staging).is_ok_and(|mut entries| entries.next().is_some())
}

/// Opens or makes the folder of an install.
pub(crate) async fn to_install(task: &Task, request: Install) -> Result<Intent, LaunchError> {
    let repo = Repository::parse(&request.repo)?;
    let root = releases::read_root(&request.trust_root)?;
    let game = GameId::parse(&request.game)
        .map_err(|error| LaunchError::Usage { cause: format!("--game: {error}") })?;
    let channel = match &request.select {
        Select::Channel(name) => name.clone(),
        Select::Release(_) => DEFAULT_CHANNEL.to_owned(),
    };
    task.enter(Phase::Recovering, 0);
    let dir = opening({
        let (path, game, adopt, told) = (request.dir, game.clone(), request.adopt, task.clone());
        move || {
            let dir = InstallDir::create(&path, game.as_str(), adopt)?;
            // Adopting looks at every file anyway: not even a damaged journal is in its way.
            let recovered = if adopt { apply::recover_adopting(&dir)? } else { apply::recover(&dir)? };
            tell_recovered(&told, recovered.as_ref());
            Ok(Arc::new(dir))
        }
    })
    .await?;
    Ok(Intent {
        dir,
        repo,
        root,
        game,
        select: request.select,
        channel,
        depth: if request.adopt { Depth::Full } else { Depth::Quick },
        sources: request.sources,
        accept_expired: request.accept_expired,
        way: request.way,
        update: false,
    })
}

/// Brings an install to what its channel points at.
pub(crate) async fn update(
    context: &Context,
    task: &Task,
    request: Update,
) -> Result<(Arc<InstallDir>, Summary), LaunchError> {
    let intent = to_update(task, request).await?;
    follow(context, task, intent).await
}

/// Opens the folder of an installed game.
pub(crate) async fn to_update(task: &Task, request: Update) -> Result<Intent, LaunchError> {
    task.enter(Phase::Recovering, 0);
    let told = task.clone();
    opening(move || {
        let (dir, recovered) = apply::open(&request.dir)?;
        tell_recovered(&told, recovered.as_ref());
        let record = Record::require(&dir)?;
        let damaged = |cause: String| LaunchError::RecordDamaged { file: ROOT_FILE.to_owned(), cause };
        let root = dir.get(&record::name(ROOT_FILE)?, ROOT_LEN_MAX)?;
        let state = dir.state();
        Ok(Intent {
            repo: Repository::parse(&record.repo)?,
            root: root.ok_or_else(|| damaged("it is missing".to_owned()))?,
            game: GameId::parse(&state.game).map_err(|error| damaged(error.to_string()))?,
            channel: match &request.select {
                Some(Select::Channel(name)) => name.clone(),
                _ => record.channel.clone(),
            },
            select: request.select.clone().unwrap_or(Select::Channel(record.channel)),
            depth: Depth::Quick,
            sources: request.sources,
            accept_expired: request.accept_expired,
            way: request.way.clone(),
            update: state.release.is_some(),
            dir: Arc::new(dir),
        })
    })
    .await
}

async fn follow(
    context: &Context,
    task: &Task,
    intent: Intent,
) -> Result<(Arc<InstallDir>, Summary), LaunchError> {
    let begun = std::time::Instant::now();
    task.update(|view| view.game = Some(intent.game.to_string()));
    let found = releases::find(context, task, &intent.dir, intent.question()).await?;
    if found.halted && intent.update {
        task.note("the studio has halted this update; the installed release stays");
        let summary = unchanged(&intent.dir)?;
        return Ok((intent.dir, summary));
    }
    let version = found.target.manifest.version.to_string();
    task.update(|view| view.release = Some(version.clone()));
    let (dir, manifest) = (intent.dir.clone(), found.target.manifest.clone());
    blocking(move || Ok(apply::check_fits(&dir, &manifest)?)).await?;
    let mut record = begin(&intent, &found).await?;
    let goal = intent.goal(&found);
    let quota = context.options.pack_quota;
    let mut summary = Box::pin(change::reach(context, task, &goal, None)).await?;
    blocking(move || {
        record.settle(found.hints, &goal.dir)?;
        content::forget_others(&goal.dir, &goal.target.manifest);
        keep::tidy(&goal.dir, keep::quota(quota, goal.target.manifest.total_bytes()), &found.gone);
        Ok(())
    })
    .await?;
    summary.elapsed = begun.elapsed();
    Ok((intent.dir, summary))
}

/// Remembers where the game comes from and what is to be reached, so that update, repair and status know.
async fn begin(intent: &Intent, found: &Found) -> Result<Record, LaunchError> {
    let (dir, root) = (intent.dir.clone(), intent.root.clone());
    let mut record = Record::new(intent.repo.base().as_str(), &intent.channel);
    let version = found.target.manifest.version.to_string();
    // Until the new release is in place, repair and seeding are about the old one.
    let hints = found.hints.clone();
    blocking(move || {
        let known = Record::load(&dir).ok().flatten();
        record.hints = known.map_or(hints, |known| known.hints);
        let in_place = dir.state().release.as_ref().is_some_and(|release| release.version == version);
        record.pending = (!in_place).then_some(version);
        let name = record::name(ROOT_FILE)?;
        if dir.get(&name, ROOT_LEN_MAX).ok().flatten().as_deref() != Some(&root) {
            dir.put(&name, &root)?;
        }
        record.save(&dir)?;
        Ok(record)
    })
    .await
}

fn unchanged(dir: &InstallDir) -> Result<Summary, LaunchError> {
    let (manifest, _) = manifest_in_place(dir)?;
    Ok(Summary {
        game: manifest.game.to_string(),
        release: manifest.version.to_string(),
        sequence: manifest.sequence,
        sources: SourceBytes { local: manifest.total_bytes(), ..SourceBytes::default() },
        ..Summary::default()
    })
}
