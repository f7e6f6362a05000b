//! The engine's thread: takes commands, runs operations, ends them.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::board::{Board, Task};
use crate::engine::command::{Command, Operation, TaskId};
use crate::engine::context::Context;
use crate::engine::operations;
use crate::engine::options::Options;
use crate::engine::snapshot::{Event, Happened, Phase, Snapshot, TaskView};
use crate::error::LaunchError;

/// How to reach a running engine. The engine ends when `commands` is dropped.
#[derive(Debug)]
pub struct EngineHandle {
    /// Commands in.
    pub commands: mpsc::Sender<Command>,
    /// The newest state of everything.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// What must not be lost, in order.
    pub events: mpsc::UnboundedReceiver<Event>,
    /// The engine's thread.
    pub thread: JoinHandle<()>,
}

/// The engine. It lives on its own thread; hold the [`EngineHandle`].
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// Starts an engine on a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread or runtime.
    pub fn start(options: Options) -> Result<EngineHandle, LaunchError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("samara-engine")
            .enable_all()
            .build()
            .map_err(|error| LaunchError::internal(format!("starting the engine: {error}")))?;
        let (commands, inbox) = mpsc::channel(64);
        let (snapshot_to, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let (events_to, events) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("samara-engine".to_owned())
            .spawn(move || runtime.block_on(run(options, inbox, snapshot_to, events_to)))
            .map_err(|error| LaunchError::internal(format!("starting the engine: {error}")))?;
        Ok(EngineHandle { commands, snapshot, events, thread })
    }
}

async fn run(
    options: Options,
    mut inbox: mpsc::Receiver<Command>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    events: mpsc::UnboundedSender<Event>,
) {
    let board = Board::new();
    let stop = CancellationToken::new();
    let publisher = tokio::spawn(board.clone().publish(snapshot, options.wake.clone(), stop.clone()));
    let context = Arc::new(Context::new(options, board.clone()));
    let watching = tokio::spawn({
        let (context, stop) = (context.clone(), stop.clone());
        async move { stop.run_until_cancelled(context.players().run()).await }
    });
    let mut running = JoinSet::new();
    let mut stops: HashMap<TaskId, CancellationToken> = HashMap::new();
    loop {
        let command = tokio::select! {
            command = inbox.recv() => command,
            Some(_) = running.join_next() => {
                stops.retain(|_, stop| !stop.is_cancelled());
                continue;
            }
        };
        match command {
            Some(Command::Start { task, operation }) => {
                let token = CancellationToken::new();
                let handle = Task::new(task, board.clone(), token.clone(), events.clone());
                if board.open(new_view(task, &operation)) {
                    stops.insert(task, token);
                    running.spawn(conduct(context.clone(), handle, operation));
                } else {
                    let cause = format!("the name {} is in use by another operation", task.0);
                    handle.tell(Happened::Failed(Arc::new(LaunchError::Usage { cause })));
                }
            }
            Some(Command::Pause { task }) => {
                if let Some(stop) = stops.get(&task) {
                    stop.cancel();
                }
            }
            Some(Command::Limits(rates)) => context.limit(rates),
            Some(Command::Watch(folders)) => context.players().watch(folders),
            Some(Command::Shutdown) | None => break,
        }
    }
    for stop in stops.values() {
        stop.cancel();
    }
    while running.join_next().await.is_some() {}
    context.close().await;
    stop.cancel();
    // The last snapshot is published; nothing to do about a publisher that panicked.
    let _ = publisher.await;
    let _ = watching.await;
}

/// Runs one operation and tells its end.
async fn conduct(context: Arc<Context>, task: Task, operation: Box<Operation>) {
    let ended = operations::perform(&context, &task, *operation).await;
    match ended {
        Ok(operations::End::Done(outcome)) => {
            task.update(|view| view.phase = Phase::Done);
            task.tell(Happened::Done { outcome, lingers: false });
        }
        Ok(operations::End::Ended) => {
            task.update(|view| view.phase = Phase::Done);
            task.tell(Happened::Ended);
        }
        Err(error) if error.is_pause() => {
            task.update(|view| view.phase = Phase::Paused);
            task.tell(Happened::Paused);
        }
        Err(error) => {
            tracing::warn!(code = error.code(), %error, "an operation failed");
            task.fail(Arc::new(error));
        }
    }
    // Marks it as ended for the loop that keeps the tokens.
    task.stop.cancel();
}

fn new_view(task: TaskId, operation: &Operation) -> TaskView {
    let game = match operation {
        Operation::Install(install) => Some(install.game.clone()),
        Operation::Look(look) => Some(look.game.clone()),
        _ => None,
    };
    TaskView::waiting(task, operation.dir().to_owned(), game)
}
