//! What is worth telling a player who does not look at the window: an update is there, is done, or has failed.

use crate::shell::deeds::Tiding;
use crate::shell::desk::Desk;
use crate::shell::library::GameKey;
use crate::shell::queue::{Ended, Job};

impl Desk {
    /// Of what has come to its end.
    pub(super) fn tiding(&self, key: GameKey, job: Job, ended: Ended) -> Option<Tiding> {
        let game = self.library.get(key).filter(|_| !self.world.in_front)?;
        let name = game.name.clone();
        match ended {
            Ended::Failed => Some(Tiding::Failed(name, self.failures.get(&key)?.code)),
            Ended::Done if matches!(job, Job::Install | Job::Update) => {
                Some(Tiding::Done(name, game.installed.clone()?))
            }
            Ended::Done | Ended::Paused => None,
        }
    }

    /// Of a release that is offered since the repository was asked; `before` was offered until then.
    pub(super) fn tiding_of_offer(&self, key: GameKey, before: Option<&str>) -> Option<Tiding> {
        let game = self.library.get(key).filter(|_| !self.world.in_front)?;
        let offered = game.offered.clone().filter(|offered| before != Some(offered))?;
        let is_update = game.installed.as_ref().is_some_and(|here| *here != offered);
        let is_wanted = is_update && game.pin.is_none() && !self.halted.contains(&key);
        is_wanted.then(|| Tiding::Ready(game.name.clone(), offered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Failure;
    use crate::shell::library::tests::game;

    const A: GameKey = GameKey(1);

    fn desk() -> Desk {
        let mut desk = Desk::default();
        desk.library.add(game("freeciv", "Freeciv")).unwrap();
        let game = desk.library.get_mut(A).unwrap();
        (game.installed, game.offered) = (Some("1".into()), Some("2".into()));
        desk
    }

    fn name() -> String {
        "Freeciv".to_owned()
    }

    #[test]
    fn only_who_does_not_look_is_told_and_only_what_counts() {
        let mut desk = desk();
        let failure = Failure { code: "E-OFFLINE", message: String::new(), advice: "" };
        desk.failures.insert(A, failure);
        for (job, ended, expected) in [
            (Job::Update, Ended::Done, Some(Tiding::Done(name(), "1".into()))),
            (Job::Install, Ended::Done, Some(Tiding::Done(name(), "1".into()))),
            (Job::Repair, Ended::Done, None),
            (Job::Uninstall, Ended::Done, None),
            (Job::Update, Ended::Paused, None),
            (Job::Repair, Ended::Failed, Some(Tiding::Failed(name(), "E-OFFLINE"))),
        ] {
            assert_eq!(desk.tiding(A, job, ended), expected, "{job:?} {ended:?}");
            desk.world.in_front = true;
            assert_eq!(desk.tiding(A, job, ended), None);
            desk.world.in_front = false;
        }
    }

    #[test]
    fn an_update_is_told_once() {
        let mut desk = desk();
        let ready = Some(Tiding::Ready(name(), "2".into()));
        assert_eq!(desk.tiding_of_offer(A, Some("1")), ready);
        assert_eq!(desk.tiding_of_offer(A, Some("2")), None, "it was there before");
        desk.library.get_mut(A).unwrap().pin = Some("1".into());
        assert_eq!(desk.tiding_of_offer(A, None), None, "he stays where he is");
        desk.library.get_mut(A).unwrap().pin = None;
        desk.halted.insert(A);
        assert_eq!(desk.tiding_of_offer(A, None), None);
        desk.halted.clear();
        desk.library.get_mut(A).unwrap().installed = None;
        assert_eq!(desk.tiding_of_offer(A, None), None, "it is not here");
    }
}
