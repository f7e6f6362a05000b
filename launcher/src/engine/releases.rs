//! Which release is wanted, as the repository's signatures say. Everything here follows from the pinned root.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use manifests::apply::Target;
use manifests::folder::{DiskError, InstallDir, PRIVATE};
use manifests::release::{ChannelName, GameId, ReleaseManifest, Version};
use manifests::trust::client::{FetchError, FetchFuture, Transport};
use manifests::trust::{Client, Freshness, Resolved, TrustError, UnixTime};
use sha2::{Digest as _, Sha256};

use crate::engine::board::Task;
use crate::engine::command::{DEFAULT_CHANNEL, Look, Select};
use crate::engine::context::Context;
use crate::engine::goal::Ways;
use crate::engine::http::{Http, HttpError, Limits};
use crate::engine::meter::blocking;
use crate::engine::packs::{keep, offers};
use crate::engine::repository::Repository;
use crate::engine::snapshot::{Offer, Phase};
use crate::engine::transfer::Hints;
use crate::error::LaunchError;

/// Longest root file taken from the player, in bytes.
const ROOT_LEN_MAX: u64 = 512 << 10;
/// Releases of cached packs asked about, at most.
const GONE_MAX: usize = 16;

/// A question to a repository.
pub(crate) struct Question<'a> {
    pub(crate) repo: &'a Repository,
    /// The bytes of the pinned root.
    pub(crate) root: &'a [u8],
    pub(crate) game: &'a GameId,
    pub(crate) select: &'a Select,
    pub(crate) accept_expired: bool,
}

/// The answer.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) target: Target,
    pub(crate) hints: Hints,
    /// The studio has stopped this channel: installs stay where they are.
    pub(crate) halted: bool,
    /// Packs that lead there from what is installed.
    pub(crate) ways: Arc<Ways>,
    /// Releases that cached packs lead to and that the studio has taken away.
    pub(crate) gone: Vec<String>,
}

/// Reads the root file that the player gives.
pub(crate) fn read_root(path: &Path) -> Result<Vec<u8>, LaunchError> {
    let wrong = |cause: String| LaunchError::TrustRoot { file: path.to_owned(), cause };
    let len = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if len > ROOT_LEN_MAX {
        return Err(wrong("it is too long for a root.json".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    // Its signatures are for the client to judge; another kind of file is better named here.
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes) {
        Ok(root) if root.contains_key("signed") => Ok(bytes),
        _ => Err(wrong("it is not a root.json".to_owned())),
    }
}

/// Asks the repository, and believes only what is signed.
pub(crate) async fn find(
    context: &Context,
    task: &Task,
    dir: &Arc<InstallDir>,
    question: Question<'_>,
) -> Result<Found, LaunchError> {
    let state = memory(&dir.path().join(PRIVATE).join("trust"), question.root);
    let transport = HttpTransport::new(context, question.repo);
    let asked = ask(dir, &question, &state, transport.clone());
    believed(task, &transport, question.root, asked).await
}

/// Somebody who may not even have the game, and what he asks a repository with.
pub(crate) struct Asker {
    pub(crate) game: GameId,
    root: Vec<u8>,
    state: PathBuf,
    transport: Arc<HttpTransport>,
}

impl Asker {
    /// `memory` is where what the root has vouched for is remembered.
    pub(crate) async fn new(
        context: &Context,
        (repo, game): (&str, &str),
        trust_root: PathBuf,
        memory_below: PathBuf,
    ) -> Result<Self, LaunchError> {
        let repo = Repository::parse(repo)?;
        let game = GameId::parse(game)
            .map_err(|error| LaunchError::Usage { cause: format!("the game's id: {error}") })?;
        let (root, state) = blocking(move || {
            let root = read_root(&trust_root)?;
            let state = memory(&memory_below, &root);
            let at = state.display().to_string();
            std::fs::create_dir_all(&state).map_err(DiskError::at("make the folder", &at))?;
            Ok((root, state))
        })
        .await?;
        Ok(Self { game, root, state, transport: HttpTransport::new(context, &repo) })
    }

    /// A client that knows what is current.
    pub(crate) async fn client(&self) -> Result<Client, LaunchError> {
        let mut client = Client::open(&self.root, &self.state, self.transport.clone())?;
        client.refresh(UnixTime::from_system(SystemTime::now()), Freshness::Required).await?;
        Ok(client)
    }

    /// Waits for an answer, until paused.
    pub(crate) async fn believed<T>(
        &self,
        task: &Task,
        asked: impl Future<Output = Result<T, LaunchError>> + Send,
    ) -> Result<T, LaunchError> {
        believed(task, &self.transport, &self.root, asked).await
    }
}

/// Asks the repository what it offers.
pub(crate) async fn look(context: &Context, task: &Task, request: Look) -> Result<Offer, LaunchError> {
    let names = (request.repo.as_str(), request.game.as_str());
    let asker = Asker::new(context, names, request.trust_root.clone(), request.memory.clone()).await?;
    let asked = async {
        let mut client = asker.client().await?;
        let (resolved, older) = match &request.select {
            Select::Channel(name) => {
                let channel = channel(name)?;
                match client.resolve_channel(&asker.game, &channel, request.installed).await {
                    Err(TrustError::Downgrade { .. }) => {
                        (client.resolve_channel(&asker.game, &channel, None).await?, true)
                    }
                    resolved => (resolved?, false),
                }
            }
            Select::Release(version) => {
                (client.resolve_release(&asker.game, &release(version)?).await?, false)
            }
        };
        let signers = client.signers(&asker.game).unwrap_or_default();
        Ok(Offer {
            game: asker.game.to_string(),
            release: resolved.manifest.version.to_string(),
            halted: resolved.channel.as_ref().is_some_and(|channel| channel.halted),
            older,
            bytes: resolved.manifest.total_bytes(),
            notes: resolved.manifest.notes,
            art: resolved.manifest.art,
            signers,
        })
    };
    asker.believed(task, asked).await
}

/// The root that a repository shows, believed by nobody.
pub(crate) async fn root(context: &Context, task: &Task, repo: &str) -> Result<Vec<u8>, LaunchError> {
    task.enter(Phase::Checking, 0);
    let url = Repository::parse(repo)?.at("metadata/root.json")?;
    let asked = context.http().get(&url, Limits::for_len(ROOT_LEN_MAX));
    tokio::select! {
        () = task.stop.cancelled() => Err(LaunchError::Paused),
        root = asked => Ok(root?.into()),
    }
}

/// One memory for each root: what another root vouched for says nothing here.
fn memory(below: &Path, root: &[u8]) -> PathBuf {
    let name = hex::encode(Sha256::digest(root));
    below.join(name.get(..16).unwrap_or(&name))
}

/// Waits for an answer, until paused, and tells what went wrong as well as it is known.
async fn believed<T>(
    task: &Task,
    transport: &HttpTransport,
    root: &[u8],
    asked: impl Future<Output = Result<T, LaunchError>> + Send,
) -> Result<T, LaunchError> {
    task.enter(Phase::Checking, 0);
    let asked = tokio::select! {
        () = task.stop.cancelled() => return Err(LaunchError::Paused),
        asked = Box::pin(asked) => asked,
    };
    match asked {
        // What the network said tells a player more than that there was no answer.
        Err(LaunchError::Trust(error @ TrustError::Transport { .. })) => Err(transport
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .unwrap_or(error.into())),
        Err(LaunchError::Trust(error @ TrustError::Tampered { .. })) => {
            Err(if has_other_root(transport, root).await { other_root() } else { error.into() })
        }
        asked => asked,
    }
}

/// Signatures that do not fit are mostly a root file of another repository: then the server has another root of the same
/// version.
async fn has_other_root(transport: &HttpTransport, root: &[u8]) -> bool {
    let pinned: Option<serde_json::Value> = serde_json::from_slice(root).ok();
    let Some(version) = pinned.and_then(|root| root.get("signed")?.get("version")?.as_u64()) else {
        return false;
    };
    let served = transport.get(&format!("metadata/{version}.root.json"), ROOT_LEN_MAX).await;
    served.is_ok_and(|served| served.is_some_and(|served| served != root))
}

fn other_root() -> LaunchError {
    let reason = "it has another root of the same version".to_owned();
    TrustError::WrongRoot { reason }.into()
}

async fn ask(
    dir: &Arc<InstallDir>,
    question: &Question<'_>,
    state: &Path,
    transport: Arc<HttpTransport>,
) -> Result<Found, LaunchError> {
    let mut client = Client::open(question.root, state, transport)?;
    let freshness = if question.accept_expired { Freshness::ExpiredAccepted } else { Freshness::Required };
    client.refresh(UnixTime::from_system(SystemTime::now()), freshness).await?;
    let installed = dir.state().release.as_ref().map(|release| release.sequence);
    let (resolved, hints) = match question.select {
        Select::Channel(name) => {
            let channel = channel(name)?;
            let resolved = client.resolve_channel(question.game, &channel, installed).await?;
            let hints = hints(question.repo, &resolved);
            (resolved, hints)
        }
        Select::Release(version) => {
            let resolved = client.resolve_release(question.game, &release(version)?).await?;
            // Hints come by channel; without them the repository itself still serves.
            let default = client.resolve_channel(question.game, &channel(DEFAULT_CHANNEL)?, None).await;
            let hints = hints(question.repo, default.as_ref().unwrap_or(&resolved));
            (resolved, hints)
        }
    };
    let (ways, gone) = packs_of(dir, question, &mut client, &resolved.manifest).await;
    let channel = resolved.channel.as_ref();
    Ok(Found {
        ways: Arc::new(ways),
        gone,
        halted: channel.is_some_and(|channel| channel.halted),
        hints,
        target: Target {
            channel: channel.map(|channel| channel.channel.to_string()),
            manifest: Arc::new(resolved.manifest),
            bytes: resolved.manifest_bytes.into(),
        },
    })
}

/// The packs on offer, and which of the cached ones lead nowhere any more. Packs are never needed: what goes wrong here is
/// a warning.
async fn packs_of(
    dir: &Arc<InstallDir>,
    question: &Question<'_>,
    client: &mut Client,
    target: &ReleaseManifest,
) -> (Ways, Vec<String>) {
    let installed = dir.manifest().ok().flatten().and_then(|bytes| ReleaseManifest::decode(&bytes).ok());
    let ways = match offers::gather(client, question.game, target, installed.map(Arc::new)).await {
        Ok(ways) => ways,
        Err(error) => {
            tracing::warn!(%error, "packs cannot be used");
            Ways::default()
        }
    };
    let mut gone = Vec::new();
    for version in keep::versions(dir).into_iter().take(GONE_MAX) {
        let Ok(parsed) = Version::parse(&version) else {
            gone.push(version);
            continue;
        };
        if matches!(client.pack_list(question.game, &parsed).await, Ok(None)) {
            gone.push(version);
        }
    }
    (ways, gone)
}

fn channel(name: &str) -> Result<ChannelName, LaunchError> {
    ChannelName::parse(name).map_err(|error| LaunchError::Usage { cause: format!("--channel: {error}") })
}

fn release(version: &str) -> Result<Version, LaunchError> {
    Version::parse(version).map_err(|error| LaunchError::Usage { cause: format!("--release: {error}") })
}

/// The repository itself is the first web seed; the channel may name more.
fn hints(repo: &Repository, resolved: &Resolved) -> Hints {
    let mut hints = Hints { web: vec![repo.base().to_string()], ..Hints::default() };
    if let Some(channel) = &resolved.channel {
        hints.trackers.clone_from(&channel.trackers);
        hints.peers.clone_from(&channel.seed_peers);
        hints.web.extend(channel.web_bases.iter().filter(|base| **base != repo.base().as_str()).cloned());
    }
    hints
}

/// Metadata over HTTP.
struct HttpTransport {
    http: Http,
    repo: Repository,
    /// The last failure, in our own words.
    failure: Mutex<Option<LaunchError>>,
}

impl HttpTransport {
    fn new(context: &Context, repo: &Repository) -> Arc<Self> {
        let failure = Mutex::new(None);
        Arc::new(Self { http: context.http().clone(), repo: repo.clone(), failure })
    }

    async fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FetchError> {
        let failed = |error: LaunchError| {
            let text = error.to_string();
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            FetchError::Failed(text)
        };
        let url = self.repo.at(path).map_err(failed)?;
        match self.http.get(&url, Limits::for_len(limit)).await {
            Ok(bytes) => Ok(Some(bytes.into())),
            // Object stores answer 403 for what is not there.
            Err(
                HttpError::NotFound { .. }
                | HttpError::Failed(LaunchError::ServerRefused { status: 403, .. }),
            ) => Ok(None),
            Err(HttpError::TooLong { .. }) => Err(FetchError::TooLarge),
            Err(HttpError::Failed(error)) => Err(failed(error)),
        }
    }
}

impl Transport for HttpTransport {
    fn fetch<'a>(&'a self, path: &'a str, limit: u64) -> FetchFuture<'a> {
        Box::pin(self.get(path, limit))
    }
}
