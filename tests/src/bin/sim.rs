//! Runs scenarios of the simulator and prints seed, trace hash and a table.

use std::time::Duration;

use clap::Parser;
use samara_tests::sim::{Faults, Group, Report, Scenario, run};

/// A virtual swarm on a virtual network.
#[derive(Parser)]
struct Args {
    /// demo, eight, home, slow-up, web-only, hostile, frozen, crowd; all of them if none is named.
    scenarios: Vec<String>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Prints every node.
    #[arg(long)]
    nodes: bool,
}

const MIB: u64 = 1024 * 1024;

fn scenario(name: &str, seed: u64) -> anyhow::Result<Scenario> {
    let demo = |len| Scenario::simple(seed, 4, len, 20_000_000);
    Ok(match name {
        "demo" => demo(64 * MIB),
        "demo-told" => Scenario { told_rates: true, ..demo(64 * MIB) },
        "demo200" => demo(200 * MIB),
        "demo-small" => Scenario { piece_len: 16 * 1024, ..demo(64 * MIB) },
        "mini" => Scenario { piece_len: 256 * 1024, ..Scenario::simple(seed, 4, 16 * MIB, 5_000_000) },
        "mini8" => Scenario { piece_len: 128 * 1024, ..Scenario::simple(seed, 8, 16 * MIB, 5_000_000) },
        "eight" => Scenario::simple(seed, 8, 200_000_000, 20_000_000),
        "eight-noweb" => Scenario { web: false, ..Scenario::simple(seed, 8, 200_000_000, 20_000_000) },
        "home" => Scenario {
            groups: vec![Group::seedbox(10_000_000), Group::launchers(20, 1_500_000, 12_000_000)],
            latency: Duration::from_millis(40),
            piece_len: 256 * 1024,
            ..Scenario::simple(seed, 0, 50 * MIB, 1)
        },
        "slow-up" => Scenario {
            groups: vec![Group::seedbox(50_000_000), Group::launchers(4, 500_000, 50_000_000)],
            latency: Duration::from_millis(20),
            ..Scenario::simple(seed, 0, 64 * MIB, 1)
        },
        "web-only" => Scenario {
            groups: vec![Group::seedbox(20_000_000), Group::launchers(1, 1, 1_000_000_000)],
            ..demo(64 * MIB)
        },
        "hostile" => Scenario {
            faults: Faults {
                disconnect_per_second: 0.02,
                liars: 3,
                stallers: 3,
                slow: 2,
                natted: 4,
                ..Faults::default()
            },
            latency: Duration::from_millis(30),
            groups: vec![Group::seedbox(5_000_000), Group::launchers(24, 2_000_000, 10_000_000)],
            piece_len: 256 * 1024,
            ..Scenario::simple(seed, 0, 16 * MIB, 1)
        },
        "frozen" => Scenario::frozen(seed),
        "crowd" => Scenario {
            groups: vec![
                Group::seedbox(4_000_000),
                Group { joining: Duration::from_secs(10), ..Group::launchers(200, 1_000_000, 8_000_000) },
            ],
            latency: Duration::from_millis(50),
            piece_len: 64 * 1024,
            max_peers: 30,
            web: false,
            ..Scenario::simple(seed, 0, 2 * MIB, 1)
        },
        other => anyhow::bail!("no scenario `{other}`"),
    })
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let all = ["demo", "demo200", "eight", "home", "slow-up", "web-only", "hostile", "frozen", "crowd"];
    let names: Vec<String> =
        if args.scenarios.is_empty() { all.map(str::to_owned).to_vec() } else { args.scenarios.clone() };
    println!(
        "{:12} {:>5} {:>9} {:>8} {:>7} {:>8} {:>6} {:>7} {:>9}  trace",
        "scenario", "seed", "seconds", "×bound", "copies", "offload", "lost", "wasted", "wait"
    );
    for name in &names {
        for seed in args.seed..args.seed + args.seeds {
            match run(&scenario(name, seed)?) {
                Ok(report) => print(name, &report, args.nodes),
                Err(problem) => println!("{name:12} {seed:>5} {problem:#}"),
            }
        }
    }
    Ok(())
}

fn print(name: &str, report: &Report, nodes: bool) {
    let wasted: u64 = report.nodes.iter().map(|n| n.wasted).sum();
    let received: u64 = report.nodes.iter().map(|n| n.received.total()).sum();
    let honest = || report.nodes.iter().filter(|n| n.honest_launcher);
    let wait = honest().map(|n| n.longest_wait).max().unwrap_or_default();
    println!(
        "{name:12} {:>5} {:>9.2} {:>8.2} {:>7.2} {:>7.1}% {:>6} {:>6.1}% {:>8.2}s  {}",
        report.seed,
        report.seconds,
        report.over_bound,
        report.copies,
        report.offload * 100.0,
        report.requests_lost,
        100.0 * wasted as f64 / received.max(1) as f64,
        wait.as_secs_f64(),
        report.trace,
    );
    if !nodes {
        return;
    }
    for (n, node) in report.nodes.iter().enumerate() {
        let r = node.received;
        println!(
            "  #{n:<4} {:>8.2}s  origin {:>6.1} peers {:>6.1} web {:>6.1} MB  sent {:>6.1} web {:>6.1} MB  wasted {:>5.2}  wait {:>5.2}s",
            node.seconds.unwrap_or(0.0),
            r.origin as f64 / 1e6,
            (r.peers + r.lan) as f64 / 1e6,
            r.web as f64 / 1e6,
            node.sent as f64 / 1e6,
            node.sent_web as f64 / 1e6,
            node.wasted as f64 / 1e6,
            node.longest_wait.as_secs_f64(),
        );
    }
}
