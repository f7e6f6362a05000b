//! Who is unchoked: pure ranking.
//!
//! A leecher serves those who serve it best (tit for tat), plus one chosen at random for a while, so that newcomers get
//! a first piece (BEP 3, "optimistic unchoke"). A seed has nothing to be repaid with: it serves in turns, those
//! who have waited longest first, but lets a turn last long enough to be of use.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::picker::random_below;
use crate::units::Time;

/// How often the ranking is made anew.
pub const ROUND: Duration = Duration::from_secs(10);
/// How long the optimistic slot, or a seed's turn, lasts.
pub const TURN: Duration = Duration::from_secs(30);

/// One peer who wants something.
#[derive(Clone, Copy, Debug)]
pub struct Contender<K> {
    /// Who.
    pub key: K,
    /// Bytes a second that it sends us.
    pub gives: u64,
    /// Bytes a second that it takes from us.
    pub takes: u64,
    /// It is served now, since this time.
    pub unchoked_since: Option<Time>,
    /// When it was served last, or came.
    pub waiting_since: Time,
    /// It owes us blocks and sends nothing: no slot but the optimistic one.
    pub snubs_us: bool,
    /// On a shared subnet: always first.
    pub lan: bool,
}

/// How many to serve with this upload rate (bytes a second): enough to fill it, few enough that each gets something.
#[must_use]
pub fn slots_for(rate: Option<u64>) -> usize {
    match rate {
        None => 64,
        Some(0) => 0,
        Some(rate) => usize::try_from(rate / 250_000).unwrap_or(usize::MAX).clamp(4, 64),
    }
}

/// Chooses who is unchoked now; at most `slots`. `optimistic` is who holds the optimistic slot, renewed here when its
/// turn is over.
pub fn choose<K: Copy + Ord>(
    contenders: &[Contender<K>],
    slots: usize,
    seeding: bool,
    optimistic: &mut Option<(K, Time)>,
    now: Time,
    rng: &mut ChaCha8Rng,
) -> Vec<K> {
    if contenders.len() <= slots {
        return contenders.iter().map(|c| c.key).collect();
    }
    let mut ranked: Vec<&Contender<K>> = contenders.iter().collect();
    if seeding {
        ranked.sort_by_key(|c| {
            (!c.lan, turn_is_over(c, now), c.unchoked_since.is_none(), c.waiting_since, c.key)
        });
        return ranked.iter().take(slots).map(|c| c.key).collect();
    }
    ranked
        .sort_by_key(|c| (!c.lan, c.snubs_us, std::cmp::Reverse(c.gives), std::cmp::Reverse(c.takes), c.key));
    let mut chosen: Vec<K> = ranked.iter().take(slots.saturating_sub(1)).map(|c| c.key).collect();
    let rest: Vec<K> = ranked.iter().skip(chosen.len()).map(|c| c.key).collect();
    let still = optimistic.filter(|(key, until)| *until > now && rest.contains(key));
    let lucky = still.or_else(|| rest.get(random_below(rng, rest.len())).map(|&key| (key, now + TURN)));
    *optimistic = lucky;
    chosen.extend(lucky.map(|(key, _)| key).filter(|_| slots > 0));
    chosen
}

fn turn_is_over<K>(contender: &Contender<K>, now: Time) -> bool {
    contender.unchoked_since.is_some_and(|since| now.since(since) >= TURN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng as _;

    fn peer(key: u32) -> Contender<u32> {
        let waiting_since = Time(u64::from(key));
        let (gives, takes, unchoked_since) = (0, 0, None);
        Contender { key, gives, takes, unchoked_since, waiting_since, snubs_us: false, lan: false }
    }

    fn run(peers: &[Contender<u32>], slots: usize, seeding: bool, now: Time) -> Vec<u32> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        choose(peers, slots, seeding, &mut None, now, &mut rng)
    }

    #[test]
    fn everyone_is_served_while_there_is_room() {
        let peers: Vec<_> = (0..4).map(peer).collect();
        assert_eq!(run(&peers, 4, false, Time::ZERO), [0, 1, 2, 3]);
        assert_eq!(run(&peers, 0, true, Time::ZERO), []);
        assert_eq!(run(&peers, 0, false, Time::ZERO), []);
    }

    #[test]
    fn a_leecher_repays_and_leaves_one_slot_to_chance() {
        let mut peers: Vec<_> = (0..6).map(peer).collect();
        peers[3].gives = 900;
        peers[5].gives = 500;
        peers[1].gives = 700;
        peers[1].snubs_us = true;
        let chosen = run(&peers, 3, false, Time::ZERO);
        assert_eq!(chosen[..2], [3, 5]);
        assert!(![3, 5].contains(&chosen[2]));
    }

    #[test]
    fn the_optimistic_slot_stays_for_its_turn() {
        let peers: Vec<_> = (0..9).map(peer).collect();
        let (mut rng, mut lucky) = (ChaCha8Rng::seed_from_u64(7), None);
        choose(&peers, 2, false, &mut lucky, Time::ZERO, &mut rng);
        let first = lucky;
        choose(&peers, 2, false, &mut lucky, Time::from_secs(29), &mut rng);
        assert_eq!(lucky, first);
        choose(&peers, 2, false, &mut lucky, Time::from_secs(31), &mut rng);
        assert_ne!(lucky, first);
    }

    #[test]
    fn a_seed_serves_in_turns() {
        let mut peers: Vec<_> = (0..4).map(peer).collect();
        for (key, since) in [(2, 0), (3, 20)] {
            peers[key].unchoked_since = Some(Time::from_secs(since));
        }
        assert_eq!(run(&peers, 2, true, Time::from_secs(21)), [2, 3]);
        assert_eq!(run(&peers, 2, true, Time::from_secs(31)), [3, 0]);
    }
}
