//! `rustle schema`: the shapes of the documents that the commands read and write.

use rustle_formats::artifact::Manifest;
use rustle_formats::event::Event;
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::report::{ConnectionReport, DeploymentReport, ExecutionReport};
use rustle_planner::documents::{EnrichedPlaybook, ParsedPlaybook};
use schemars::generate::SchemaSettings;

use crate::console::print;
use crate::exit::Exit;
use crate::failure::Failure;

/// A document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Document {
    /// What `rustle parse` writes.
    Parsed,
    /// What `rustle facts` writes.
    Enriched,
    /// The execution plan: `rustle plan` writes it, `rustle pack` reads it.
    Plan,
    /// One line of `ARTIFACT --events`.
    Event,
    /// What `ARTIFACT --report` writes.
    Report,
    /// What `rustle deploy` prints.
    Deployment,
    /// What `rustle connect --json` prints.
    Connections,
    /// What an artifact says of itself: a part of `rustle inspect --json`.
    Manifest,
}

/// Prints a JSON Schema (draft 2020-12).
#[derive(Debug, clap::Args)]
pub(crate) struct Schema {
    /// Of which document.
    document: Document,
}

impl Schema {
    /// Prints it.
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let generator = SchemaSettings::draft2020_12().into_generator();
        let schema = match self.document {
            Document::Parsed => generator.into_root_schema_for::<ParsedPlaybook>(),
            Document::Enriched => generator.into_root_schema_for::<EnrichedPlaybook>(),
            Document::Plan => generator.into_root_schema_for::<ExecutionPlan>(),
            Document::Event => generator.into_root_schema_for::<Event>(),
            Document::Report => generator.into_root_schema_for::<ExecutionReport>(),
            Document::Deployment => generator.into_root_schema_for::<DeploymentReport>(),
            Document::Connections => generator.into_root_schema_for::<ConnectionReport>(),
            Document::Manifest => generator.into_root_schema_for::<Manifest>(),
        };
        print(&super::json(&schema)?)?;
        Ok(Exit::Done)
    }
}
