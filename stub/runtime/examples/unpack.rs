//! Unpacks an artifact's tree and says how long it took: `unpack ARTIFACT DEST [threads=N] [nosync] [owners]`.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use rustle_formats::artifact::Container;
use rustle_runtime::extract::{ExtractOptions, extract};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [artifact, dest, options @ ..] = args.as_slice() else {
        return Err("unpack ARTIFACT DEST [OPTION]…".into());
    };
    let threads = options.iter().find_map(|o| o.strip_prefix("threads="));
    let options = ExtractOptions {
        threads: threads.map_or(Ok(0), str::parse)?,
        owners: options.iter().any(|o| o == "owners"),
        sync: !options.iter().any(|o| o == "nosync"),
    };
    let start = Instant::now();
    let container = Container::open_file(File::open(artifact)?)?;
    let report = extract(&container, b"", Path::new(dest), options)?;
    println!("unpack {:.3} s, {report:?}", start.elapsed().as_secs_f64());
    Ok(())
}
