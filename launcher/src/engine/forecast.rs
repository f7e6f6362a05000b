//! What an update or install would cost: everything is asked and computed as it would be, nothing is carried out.

use std::sync::Arc;
use std::time::Duration;

use manifests::route::{Candidate, Weights};

use crate::engine::board::Task;
use crate::engine::change;
use crate::engine::command::{Plan, Preference};
use crate::engine::context::Context;
use crate::engine::install::{self, Intent};
use crate::engine::packs::phase::Decision;
use crate::engine::record::Before;
use crate::engine::releases;
use crate::engine::rollback;
use crate::engine::snapshot::{CandidateView, PlanReport};
use crate::error::LaunchError;

/// Computes every route. An install folder that was not there is not there afterwards.
pub(crate) async fn forecast(context: &Context, task: &Task, plan: Plan) -> Result<PlanReport, LaunchError> {
    match plan {
        Plan::Install(install) => {
            let (path, before) = (install.dir.clone(), Before::look(&install.dir));
            let planned = match install::to_install(task, install).await {
                Ok(intent) => Box::pin(ask(context, task, intent)).await,
                Err(error) => Err(error),
            };
            before.restore(&path);
            planned
        }
        Plan::Update(update) => {
            let intent = install::to_update(task, update).await?;
            Box::pin(ask(context, task, intent)).await
        }
        Plan::Rollback { dir } => Box::pin(rollback::forecast(task, dir)).await,
    }
}

async fn ask(context: &Context, task: &Task, intent: Intent) -> Result<PlanReport, LaunchError> {
    task.update(|view| view.game = Some(intent.game.to_string()));
    let found = releases::find(context, task, &intent.dir, intent.question()).await?;
    if found.halted {
        task.note("the studio has halted this update");
    }
    let goal = intent.goal(&found);
    let version = goal.target.manifest.version.to_string();
    task.update(|view| view.release = Some(version.clone()));
    let decision = Box::pin(change::weigh(context, task, &goal)).await?;
    let mut report = PlanReport {
        game: intent.game.to_string(),
        from: intent.dir.state().release.as_ref().map(|release| release.version.clone()),
        release: version,
        ..PlanReport::default()
    };
    let Some(decision) = decision else {
        "nothing has to be fetched".clone_into(&mut report.why);
        return Ok(report);
    };
    let chosen = decision.chosen(goal.way.route.as_deref())?;
    report.candidates = decision.route.candidates.iter().map(|one| view(one, &chosen)).collect();
    report.why = why(&goal.way, &chosen, &decision);
    Ok(report)
}

fn view(candidate: &Candidate, chosen: &Arc<Candidate>) -> CandidateView {
    let costs = &candidate.costs;
    CandidateView {
        name: candidate.name.clone(),
        kind: candidate.kind.name(),
        mixed: candidate.mixed,
        chosen: candidate.name == chosen.name,
        network_bytes: costs.network.payload(),
        pack_bytes: costs.network.pack,
        index_bytes: costs.network.index,
        written_bytes: costs.disk_written,
        written_files: costs.files_written,
        temp_bytes: costs.temp_peak,
        cpu: Duration::from_micros(costs.cpu_micros),
        time: Duration::from_micros(costs.time_micros),
        cost: candidate.cost,
    }
}

/// Why it was chosen, for people.
pub(super) fn why(way: &Preference, chosen: &Candidate, decision: &Decision) -> String {
    if way.route.is_some() {
        return "asked for with --route".to_owned();
    }
    let others = decision.route.candidates.iter().filter(|one| one.name != chosen.name);
    let Some(next) = others.min_by_key(|one| one.cost) else { return "the only one".to_owned() };
    if chosen.cost > next.cost {
        return format!("it fits on the disk; {} costs less and does not", next.name);
    }
    let (mine, theirs) = (&chosen.costs, &next.costs);
    if way.weights == Weights::NETWORK_ONLY {
        return format!("it receives the fewest bytes; next is {}", next.name);
    }
    // What speaks for it against the next best, in the order in which players care.
    let better: Vec<&str> = [
        ("time", mine.time_micros < theirs.time_micros),
        ("received bytes", mine.network.payload() < theirs.network.payload()),
        ("written bytes", mine.disk_written < theirs.disk_written),
        ("processor time", mine.cpu_micros < theirs.cpu_micros),
    ]
    .into_iter()
    .filter_map(|(name, better)| better.then_some(name))
    .collect();
    match &better[..] {
        [] => format!("as good as {}", next.name),
        better => format!("less {} than {}, the next best; all weighed", better.join(", "), next.name),
    }
}
