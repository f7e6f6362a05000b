//! What each file of a release has of a candidate's bytes.

use manifests::release::ReleaseManifest;
use manifests::route::{Candidate, Known, Offer, Owner, Write};
use std::collections::{BTreeMap, HashMap};

/// Bytes over the network by path. A frame's bytes are shared by what is written from it; those of a step between go to
/// the file of the same path. Indexes, and what is fetched beside a frame because blocks are fetched whole, are nobody's.
pub(super) fn by_path<'a>(
    candidate: &Candidate,
    target: &'a ReleaseManifest,
    releases: &'a [Known],
    packs: &[Offer],
) -> BTreeMap<&'a str, u64> {
    let mut shares: BTreeMap<&str, u64> = BTreeMap::new();
    for (file, ranges) in &candidate.content {
        if let Some(file) = target.files.get(*file) {
            let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
            *shares.entry(file.path.as_str()).or_default() += bytes;
        }
    }
    for step in &candidate.steps {
        let Some(index) = packs.get(step.pack).and_then(|offer| offer.index.as_ref()) else { continue };
        let files = match step.target {
            Owner::Target => &target.files,
            Owner::Release(at) => match releases.get(at) {
                Some(known) => &known.manifest.files,
                None => continue,
            },
        };
        let writes =
            || step.builds.iter().flat_map(|build| build.writes.iter().map(move |write| (build.file, write)));
        let mut written: HashMap<u32, u64> = HashMap::new();
        for (_, write) in writes() {
            if let Write::Frame { frame, len, .. } = write {
                *written.entry(*frame).or_default() += len;
            }
        }
        for (file, write) in writes() {
            let Write::Frame { frame, len, .. } = write else { continue };
            let frame_len = index.frames.get(*frame as usize).map_or(0, |frame| u64::from(frame.len));
            let all = written.get(frame).copied().unwrap_or(*len).max(1);
            let share = u128::from(frame_len) * u128::from(*len) / u128::from(all);
            if let Some(file) = files.get(file as usize) {
                *shares.entry(file.path.as_str()).or_default() += u64::try_from(share).unwrap_or(u64::MAX);
            }
        }
    }
    shares
}
