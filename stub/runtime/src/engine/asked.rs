//! Questions to a controller that is not in this process: its lookups, filters and tests, and what is vaulted.

use std::path::PathBuf;
use std::rc::Rc;

use indexmap::IndexMap;
use rustle_formats::{Map, Value};
use rustle_template::{
    Args, Engine, Error, ErrorKind, LookupCall, Plugins, Templar, Value as Rendered,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Controller;
use super::driver::Reply;

/// What a controller is asked to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plugin {
    /// A lookup: its terms, and its options by name.
    Lookup,
    /// A filter: the input, then the arguments.
    Filter,
    /// A test: the same.
    Test,
    /// What ansible-vault encrypted.
    Decrypt,
    /// An action plugin in Python: what [`Controller::action`] is told.
    #[cfg(feature = "full")]
    Action,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What.
    pub plugin: Plugin,
    /// Its name.
    pub name: String,
    /// Values by position.
    pub values: Vec<Value>,
    /// Values by name.
    pub named: Map,
    /// The folders in which files are looked for, the nearest first.
    pub folders: Vec<String>,
}

/// The controller at the other end of a driver.
pub struct Asked<A>(pub A);

impl<A: Fn(Question) -> Reply> Asked<A> {
    /// The answer: none where the controller has nothing of that name.
    fn ask(&self, question: Question) -> Result<Option<Value>, Error> {
        match (self.0)(question) {
            Reply::Value(value) => Ok(Some(value)),
            Reply::Refused(why) => Err(failed(why)),
            _ => Ok(None),
        }
    }

    fn apply(
        &self,
        plugin: Plugin,
        name: &str,
        input: &Rendered,
        args: &Args,
    ) -> Option<Result<Value, Error>> {
        let mut values = Vec::new();
        for value in std::iter::once(input).chain(&args.positional) {
            // What is no data is nothing that another process could be asked about.
            values.push(value.to_formats().ok()?);
        }
        let question = Question {
            plugin,
            name: name.to_owned(),
            values,
            named: named(&args.keywords).ok()?,
            folders: Vec::new(),
        };
        self.ask(question).transpose()
    }
}

fn failed(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Plugin, why.into())
}

fn named(values: &[(Rc<str>, Rendered)]) -> Result<Map, Error> {
    let pairs = values.iter();
    pairs
        .map(|(name, value)| Ok((name.to_string(), value.to_formats()?)))
        .collect()
}

impl<A: Fn(Question) -> Reply> Controller for Asked<A> {
    fn lookup(
        &self,
        name: &str,
        call: &LookupCall<'_>,
        folders: &[PathBuf],
    ) -> Result<Option<Vec<Rendered>>, Error> {
        let terms: Result<_, Error> = call.terms.iter().map(Rendered::to_formats).collect();
        let folders = folders.iter().map(|f| f.to_string_lossy().into_owned());
        let answer = self.ask(Question {
            plugin: Plugin::Lookup,
            name: name.to_owned(),
            values: terms?,
            named: named(&call.options)?,
            folders: folders.collect(),
        })?;
        Ok(
            answer.map(|answer| match Rendered::from_formats(&answer, false) {
                Rendered::List(list) => list.to_vec(),
                one => vec![one],
            }),
        )
    }

    #[cfg(feature = "full")]
    fn action(&self, told: &Map) -> Result<Map, String> {
        let name = told.get("name").and_then(Value::as_str);
        let answer = self.ask(Question {
            plugin: Plugin::Action,
            name: name.unwrap_or_default().to_owned(),
            values: Vec::new(),
            named: told.clone(),
            folders: Vec::new(),
        });
        match answer.map_err(|e| e.message().to_owned())? {
            Some(Value::Map(result)) => Ok(result),
            _ => Err("the controller does not answer".to_owned()),
        }
    }

    fn decrypt(&self, ciphertext: &str) -> Result<Zeroizing<String>, String> {
        let answer = self.ask(Question {
            plugin: Plugin::Decrypt,
            name: String::new(),
            values: vec![ciphertext.into()],
            named: Map::new(),
            folders: Vec::new(),
        });
        match answer.map_err(|e| e.message().to_owned())? {
            Some(Value::Str(text)) => Ok(Zeroizing::new(text)),
            _ => Err("the controller does not answer".to_owned()),
        }
    }
}

impl<A: Fn(Question) -> Reply> Plugins for Asked<A> {
    fn filter(&self, name: &str, input: &Rendered, args: &Args) -> Option<Result<Rendered, Error>> {
        let answer = self.apply(Plugin::Filter, name, input, args)?;
        Some(answer.map(|value| Rendered::from_formats(&value, false)))
    }

    fn test(&self, name: &str, input: &Rendered, args: &Args) -> Option<Result<bool, Error>> {
        let answer = self.apply(Plugin::Test, name, input, args)?;
        Some(answer.map(|value| value == Value::Bool(true)))
    }
}

/// Answers a question with the controller of this process. `vars` are those that lookups may look at.
pub fn answer(controller: &dyn Controller, question: Question, vars: &Map) -> Reply {
    let given = |value: &Value| Rendered::from_formats(value, false);
    let values: Vec<Rendered> = question.values.iter().map(given).collect();
    let named: Vec<(Rc<str>, Rendered)> = question
        .named
        .iter()
        .map(|(name, value)| (Rc::from(name.as_str()), given(value)))
        .collect();
    let name = question.name.as_str();
    let found = match question.plugin {
        #[cfg(feature = "full")]
        Plugin::Action => {
            return match controller.action(&question.named) {
                Ok(result) => Reply::Value(Value::Map(result)),
                Err(why) => Reply::Refused(why),
            };
        }
        Plugin::Decrypt => {
            let text = question.values.first().and_then(Value::as_str);
            return match controller.decrypt(text.unwrap_or_default()) {
                Ok(plain) => Reply::Value(plain.as_str().into()),
                Err(why) => Reply::Refused(why),
            };
        }
        Plugin::Lookup => {
            let scope: IndexMap<String, Rendered> = vars
                .iter()
                .map(|(name, value)| (name.clone(), given(value)))
                .collect();
            let engine = Engine::new();
            let templar = Templar::new(&engine, &scope);
            let call = LookupCall {
                terms: values,
                options: named,
                templar: &templar,
            };
            let folders: Vec<PathBuf> = question.folders.iter().map(PathBuf::from).collect();
            let found = controller.lookup(name, &call, &folders).transpose();
            found.map(|found| found.map(Rendered::list))
        }
        Plugin::Filter | Plugin::Test => {
            let mut values = values.into_iter();
            let input = values.next().unwrap_or(Rendered::None);
            let args = Args {
                positional: values.collect(),
                keywords: named,
            };
            match question.plugin {
                Plugin::Filter => controller.filter(name, &input, &args),
                _ => controller
                    .test(name, &input, &args)
                    .map(|held| held.map(Rendered::Bool)),
            }
        }
    };
    match found {
        None => Reply::Pass(Vec::new()),
        Some(Err(e)) => Reply::Refused(e.message().to_owned()),
        Some(Ok(value)) => match value.to_formats() {
            Ok(value) => Reply::Value(value),
            Err(e) => Reply::Refused(e.message().to_owned()),
        },
    }
}
