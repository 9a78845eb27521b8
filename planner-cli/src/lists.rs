//! Lists of values on the command line, and the combinations they ask for.

use std::borrow::Cow;
use std::ops::ControlFlow;

use clap::ArgMatches;
use planner_core::plan::{Outcome, adjusted, outcomes};
use planner_core::request::Request;
use planner_core::request::lists::{LISTED, Value, Values, flag, is_ambiguous, is_list};
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result, engine, words};

use crate::args::{ALL_ENGINES, typed};

/// The lists of a command line; the last one varies fastest.
pub struct Lists(pub Vec<Values>);

/// One combination.
pub struct Combination<'a> {
    /// The place in each list.
    pub places: &'a [usize],
    /// What is asked, users included.
    pub request: &'a Request,
    /// The model with the request's type of weights; the model as it is where that is refused.
    pub model: &'a ModelSpec,
    /// Its figures, or why it is refused.
    pub outcome: std::result::Result<Outcome, Error>,
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.try_get_one::<String>(name).ok().flatten().map(String::as_str)
}

/// The lists of a command line; none where every flag has one value.
///
/// # Errors
/// A value that its flag's reader refuses.
pub fn of(matches: &ArgMatches) -> Result<Option<Lists>> {
    let given = || LISTED.into_iter().filter_map(|name| Some((name, text(matches, name)?)));
    if !given().any(|(name, text)| is_list(name, text)) {
        return Ok(None);
    }
    let mut lists = Vec::new();
    for (name, text) in given() {
        let Some(flag) = flag(name) else { continue };
        let every = name == "engine" && text.split(',').any(|part| part.trim() == ALL_ENGINES);
        if !is_list(name, text) && !every {
            continue;
        }
        let ids = || engine::all().iter().map(|engine| engine.id()).collect::<Vec<_>>().join(",");
        let text = if every { Cow::from(with_every_engine(text, &ids())) } else { Cow::from(text) };
        lists.push(Values::read(flag, &typed(flag), &text)?);
    }
    Ok(Some(Lists(lists)))
}

fn with_every_engine(text: &str, ids: &str) -> String {
    let parts = text.split(',').map(|part| if part.trim() == ALL_ENGINES { ids } else { part });
    parts.collect::<Vec<_>>().join(",")
}

/// Refuses lists where a command answers one question.
///
/// # Errors
/// The first flag with a list.
pub fn refuse(matches: &ArgMatches) -> Result<()> {
    let list = LISTED
        .into_iter()
        .find_map(|name| Some((name, text(matches, name).filter(|text| is_list(name, text))?)));
    match list.and_then(|(name, text)| Some((flag(name)?, text))) {
        Some((flag, text)) => {
            Err(Error::bad_value(typed(flag), text, words!("one value here; a plan takes lists")))
        }
        None => Ok(()),
    }
}

/// Numbers whose commas are read as grouping digits and that could be lists, as typed.
pub fn ambiguous(matches: &ArgMatches) -> Vec<(String, String)> {
    let given = LISTED.into_iter().filter_map(|name| Some((name, text(matches, name)?)));
    // a length of two groups is a number more often than not
    let found = given
        .filter(|(name, text)| is_ambiguous(name, text) && (*name != "seq" || text.matches(',').count() > 1));
    found.filter_map(|(name, text)| Some((typed(flag(name)?), text.to_owned()))).collect()
}

impl Lists {
    /// How many combinations.
    pub fn combinations(&self) -> u64 {
        self.0.iter().fold(1, |all, list| all.saturating_mul(list.values.len() as u64))
    }

    /// The lists with several values; all where none has.
    pub fn varied(&self) -> Vec<usize> {
        let several: Vec<usize> = (0..self.0.len()).filter(|at| self.0[*at].values.len() > 1).collect();
        if several.is_empty() { (0..self.0.len()).collect() } else { several }
    }

    /// Every combination in order, until `each` breaks.
    pub fn each(
        &self,
        model: &ModelSpec,
        base: &Request,
        mut each: impl FnMut(&Combination<'_>) -> ControlFlow<()>,
    ) {
        let (users, outer) = match self.0.split_last() {
            Some((users, outer)) if users.name == "users" => (Some(users), outer),
            _ => (None, self.0.as_slice()),
        };
        let mut places = vec![0; self.0.len()];
        let mut request = base.clone();
        outer.iter().for_each(|list| list.put(0, &mut request));
        let mut planned = adjusted(model, &request).map(Cow::into_owned);
        loop {
            if self.with_users(model, &planned, &mut request, users, &mut places, &mut each).is_break() {
                return;
            }
            let Some(moved) = next(outer, &mut places, &mut request) else { return };
            if moved {
                planned = adjusted(model, &request).map(Cow::into_owned);
            }
        }
    }

    /// One combination of all but the users, with each number of them.
    fn with_users(
        &self,
        model: &ModelSpec,
        planned: &Result<ModelSpec>,
        request: &mut Request,
        users: Option<&Values>,
        places: &mut [usize],
        each: &mut impl FnMut(&Combination<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let one = [Value::Number(request.users)];
        let numbers = users.map_or(&one[..], |users| &users.values).iter();
        let numbers = numbers.map(|value| if let Value::Number(number) = value { *number } else { 1 });
        let (mut flow, mut place) = (ControlFlow::Continue(()), 0);
        let mut shown = request.clone();
        let mut tell = |users: u64, outcome| {
            shown.users = users;
            if let Some(last) =
                places.last_mut().filter(|_| self.0.last().is_some_and(|list| list.name == "users"))
            {
                *last = place;
            }
            place += 1;
            let model = planned.as_ref().unwrap_or(model);
            flow = each(&Combination { places, request: &shown, model, outcome });
            flow
        };
        match planned {
            Ok(model) => outcomes(model, request, numbers, tell),
            Err(error) => {
                for users in numbers {
                    if tell(users, Err(error.clone())).is_break() {
                        break;
                    }
                }
            }
        }
        flow
    }
}

/// Moves to the next combination, the last list first: whether the type of the weights changed; `None` at the end.
fn next(lists: &[Values], places: &mut [usize], request: &mut Request) -> Option<bool> {
    for at in (0..lists.len()).rev() {
        places[at] = (places[at] + 1) % lists[at].values.len();
        lists[at].put(places[at], request);
        if places[at] > 0 {
            return Some(lists[at..].iter().any(|list| list.name == "weight-dtype"));
        }
    }
    None
}
