//! Packs a tree and says how long it took: what `scripts/bench` and people who tune the packer call.
//!
//! `measure STUB TREE OUTPUT [tasks=N] [level=N] [method=M] [threads=N] [base=FILE] [cache=DIR] [frames] [times] [stream] [inject] [sign] [verify]`

use std::path::Path;
use std::time::Instant;

use rustle_formats::plan::{ExecutionPlan, Item, PLAN_VERSION, PlayPlan, Task, TaskBatch};
use rustle_formats::sign::SecretKey;
use rustle_packer::{
    AssetSource, Method, PackRequest, Placement, Recorded, Silent, open_artifact, pack,
};

fn plan(tasks: usize) -> ExecutionPlan {
    let task = |i: usize| Task {
        id: format!("t{i}"),
        name: format!("Install configuration {i}"),
        module: "copy".into(),
        args: [
            ("src", format!("files/{i}.conf")),
            ("dest", format!("/etc/app/{i}.conf")),
            ("mode", "0644".into()),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.into()))
        .collect(),
        ..Task::default()
    };
    let tasks = (0..tasks).map(|i| Item::Task(Box::new(task(i)))).collect();
    let batches = vec![TaskBatch {
        tasks,
        ..TaskBatch::default()
    }];
    ExecutionPlan {
        version: PLAN_VERSION,
        plays: vec![PlayPlan {
            name: "measure".into(),
            batches,
            ..PlayPlan::default()
        }],
        ..ExecutionPlan::default()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [stub, tree, output, options @ ..] = args.as_slice() else {
        return Err("measure STUB TREE OUTPUT [OPTION]…".into());
    };
    let value = |name: &str| {
        options
            .iter()
            .find_map(|o| o.strip_prefix(name)?.strip_prefix('='))
    };
    let has = |name: &str| options.iter().any(|o| o == name);
    let key = SecretKey::from_seed(&[7; 32]);
    let tasks = value("tasks").map_or(Ok(1), str::parse)?;
    let mut request = PackRequest::new(
        plan(tasks),
        std::fs::read(stub)?,
        "x86_64-unknown-linux-gnu",
        output,
    );
    request.assets = vec![AssetSource::path("tree", tree)];
    request.level = value("level").map(str::parse).transpose()?;
    request.method = value("method")
        .map_or(Some(Method::Zstd), Method::from_name)
        .ok_or("no such method")?;
    request.threads = value("threads").map_or(Ok(0), str::parse)?;
    request.base = value("base").map(Into::into);
    request.cache = value("cache").map(Into::into);
    request.cache_frames = has("frames");
    request.stream = has("stream");
    if has("inject") {
        request.placement = Placement::ElfSection;
    }
    request.recorded = Recorded {
        times: has("times"),
        owners: has("times"),
    };
    request.signer = has("sign").then_some(&key);
    let start = Instant::now();
    let report = pack(request, &mut Silent)?;
    println!(
        "pack {:.3} s, {} bytes (+{}), {} assets, {} frames, {} reused",
        start.elapsed().as_secs_f64(),
        report.size,
        report.sidecar_size,
        report.assets,
        report.data_frames,
        report.reused_frames
    );
    let container = open_artifact(Path::new(output))?;
    let start = Instant::now();
    drop(open_artifact(Path::new(output))?);
    println!("open {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    if has("verify") {
        let start = Instant::now();
        container.verify_all(std::thread::available_parallelism().map_or(1, usize::from))?;
        println!("verify {:.3} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}
