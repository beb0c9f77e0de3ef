//! The worker: this program, started as the user that a task becomes. It runs one module and knows nothing else of the run.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use rustle_formats::Value;

use super::wire::{self, Job};
use crate::args::{Args, Moment, first_message};
#[cfg(feature = "full")]
use crate::assets::Origin;
use crate::assets::{AssetEntry, Assets};
use crate::context::{Context, RenderRequest, Variables};
use crate::engine::{Background, background, child, run_module};
use crate::jobs;
use crate::modules;
use crate::outcome::{Failure, ModuleResult};

/// The only argument of a program that is started as a worker.
pub const WORKER: &str = "--become-worker";

/// How long a module may take to end when nobody waits for it any more.
const GRACE: Duration = Duration::from_secs(5);

/// What a worker needs of its process.
pub struct Worker<'a> {
    /// The process's environment.
    pub env: IndexMap<String, String>,
    /// A private folder for temporary files.
    pub work_dir: &'a Path,
}

/// The line to the run.
struct Line {
    input: RefCell<File>,
    output: RefCell<File>,
}

impl Worker<'_> {
    /// Does what standard input says, and tells on standard output. Gives the process's exit code.
    pub fn serve(self) -> u8 {
        let done = Line::take().and_then(|line| {
            let (_, body) = wire::receive(&mut *line.input.borrow_mut())?;
            let job: Job = postcard::from_bytes(&body).map_err(io::Error::other)?;
            self.work(&line, &job)
        });
        u8::from(done.is_err())
    }

    fn work(&self, line: &Line, job: &Job) -> io::Result<()> {
        super::enter_some_folder(self.env.get("HOME").map_or("/", |home| home))?;
        let failed = |why: String| child::sealed(Err(Failure::new(why)));
        if job.file.is_empty() {
            // The module is told at once, and has some time to end what it started.
            let cut = Cell::new(None);
            let overdue = || {
                if !line.is_cut() {
                    return false;
                }
                let since = cut.get().unwrap_or_else(Instant::now);
                cut.set(Some(since));
                since.elapsed() > GRACE
            };
            let end = child::run(None, None, &overdue, &|| self.module(line, job, None));
            let result = end.map_or_else(|end| failed(end.sentence()), child::sealed)?;
            return line.send(wire::RESULT, &result);
        }
        let mut file = PathBuf::from(&job.file);
        if let (Some(home), false) = (self.env.get("HOME"), file.is_absolute()) {
            file = Path::new(home).join(".ansible_async").join(&file);
        }
        let wanted = Background {
            file,
            limit: job.limit,
        };
        let started = background(None, &wanted, &|folder| {
            self.module(line, job, Some(folder))
        });
        match started {
            Ok(()) => line.send(wire::STARTED, wanted.file.as_os_str().as_encoded_bytes()),
            Err(e) => line.send(wire::RESULT, &failed(jobs::unstarted(&e))?),
        }
    }

    fn module(&self, line: &Line, job: &Job, folder: Option<&Path>) -> ModuleResult {
        #[cfg(feature = "full")]
        let carried = job.carried.as_ref();
        #[cfg(feature = "full")]
        let carried = carried.map(|it| crate::carried::carried_module(&job.module, it));
        #[cfg(not(feature = "full"))]
        let carried = None;
        let module = carried
            .or_else(|| modules::find(&job.module))
            .ok_or_else(|| Failure::new("the worker does not have the module"))?;
        let args = Args::check(module.spec(), &job.args, Moment::Running)
            .map_err(|errors| Failure::new(first_message(module.spec(), &errors)))?;
        let mut environment = match module.spec().name {
            "setup" => self.env.clone(),
            _ => IndexMap::new(),
        };
        let own = job.environment.iter();
        environment.extend(own.map(|(name, value)| (name.clone(), crate::args::text(value))));
        let home = environment.get("HOME").or_else(|| self.env.get("HOME"));
        let home = home.map(PathBuf::from);
        let ctx = Context {
            check: job.check,
            diff: job.diff,
            verbosity: job.verbosity,
            environment: &environment,
            assets: line,
            asset_paths: &job.folders,
            variables: Some(line),
            deadline: None,
            work_dir: folder.unwrap_or(self.work_dir),
            lasting: false,
            no_log: job.no_log,
            home: home.as_deref(),
            staging: None,
            cancelled: &|| job.file.is_empty() && line.is_cut(),
            warnings: RefCell::default(),
        };
        run_module(module, &args, &ctx)
    }
}

impl Line {
    /// Takes standard input and output away: what the module starts must neither read nor write them.
    fn take() -> io::Result<Line> {
        let apart = |stream: i32| -> io::Result<File> {
            // SAFETY: plain system calls; the new descriptor is nobody else's.
            unsafe {
                let fd = libc::fcntl(stream, libc::F_DUPFD_CLOEXEC, 3);
                if fd < 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(File::from(OwnedFd::from_raw_fd(fd)))
            }
        };
        let line = Line {
            input: RefCell::new(apart(0)?),
            output: RefCell::new(apart(1)?),
        };
        let null = File::options().read(true).write(true).open("/dev/null")?;
        for stream in [0, 1] {
            // SAFETY: both descriptors are open.
            unsafe { libc::dup2(null.as_raw_fd(), stream) };
        }
        Ok(line)
    }

    fn send(&self, kind: u8, body: &[u8]) -> io::Result<()> {
        wire::send(&mut *self.output.borrow_mut(), kind, body)
    }

    /// Whether the run has gone, or wants the worker to stop: what it would do to a child of its own it cannot do to a process
    /// of another user.
    fn is_cut(&self) -> bool {
        let mut poll = libc::pollfd {
            fd: self.input.borrow().as_raw_fd(),
            events: 0,
            revents: 0,
        };
        // SAFETY: one valid pollfd.
        unsafe { libc::poll(&raw mut poll, 1, 0) > 0 }
    }

    /// Asks, and writes the answer to `out`.
    fn ask(&self, kind: u8, body: &[u8], out: &mut dyn Write) -> io::Result<()> {
        self.send(kind, body)?;
        let mut written = Ok(());
        loop {
            let (kind, body) = wire::receive(&mut *self.input.borrow_mut())?;
            match kind {
                // The answer goes on for who has had enough of it: the next one comes after its end.
                wire::PART if written.is_ok() => written = out.write_all(&body),
                wire::PART => {}
                wire::END => return written,
                _ => {
                    return Err(io::Error::other(
                        String::from_utf8_lossy(&body).into_owned(),
                    ));
                }
            }
        }
    }

    fn entries(&self, kind: u8, path: &[u8]) -> io::Result<Vec<AssetEntry>> {
        let mut bytes = Vec::new();
        self.ask(kind, path, &mut bytes)?;
        postcard::from_bytes(&bytes).map_err(io::Error::other)
    }
}

impl Assets for Line {
    fn entry(&self, path: &[u8]) -> io::Result<Option<AssetEntry>> {
        Ok(self.entries(wire::ENTRY, path)?.pop())
    }

    fn below(&self, path: &[u8]) -> io::Result<Vec<AssetEntry>> {
        self.entries(wire::BELOW, path)
    }

    fn read(&self, path: &[u8], out: &mut dyn Write) -> io::Result<()> {
        self.ask(wire::READ, path, out)
    }

    fn read_as_stored(&self, path: &[u8], out: &mut dyn Write) -> io::Result<()> {
        self.ask(wire::STORED, path, out)
    }

    #[cfg(feature = "full")]
    fn origin(&self, path: &[u8]) -> Option<Origin> {
        let mut bytes = Vec::new();
        self.ask(wire::ORIGIN, path, &mut bytes).ok()?;
        postcard::from_bytes(&bytes).ok()?
    }
}

/// Variables stay with the run; it renders what is to be rendered. Modules that want more of them never become anybody.
impl Variables for Line {
    fn render(&self, request: &RenderRequest<'_>) -> Result<String, String> {
        let RenderRequest {
            text,
            name,
            about,
            options,
        } = request;
        let mut bytes = Vec::new();
        let body = postcard::to_stdvec(&(text, name, about, options)).map_err(|e| e.to_string())?;
        let asked = self.ask(wire::RENDER, &body, &mut bytes);
        asked.map_err(|e| e.to_string())?;
        String::from_utf8(bytes).map_err(|e| e.to_string())
    }

    fn show(&self, _: &str) -> Result<(Value, Option<String>), String> {
        Err(NOT_HERE.into())
    }

    fn get(&self, _: &str) -> Result<Option<Value>, String> {
        Err(NOT_HERE.into())
    }

    fn has(&self, _: &str) -> bool {
        false
    }

    fn condition(&self, _: &Value) -> Result<bool, String> {
        Err(NOT_HERE.into())
    }

    fn conditions(&self, _: &str) -> Result<Option<Vec<Value>>, String> {
        Err(NOT_HERE.into())
    }
}

const NOT_HERE: &str = "a worker has no variables";
