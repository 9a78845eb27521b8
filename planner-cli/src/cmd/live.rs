//! `--verify URL`: a running engine's own figures beside the plan's.

#[cfg(feature = "live")]
pub use asking::run;
#[cfg(not(feature = "live"))]
pub use missing::run;

/// In a build without the feature `live`.
#[cfg(not(feature = "live"))]
mod missing {
    use clap::ArgMatches;
    use planner_core::error::Code;
    use planner_core::text::Bilingual;
    use planner_core::{Error, Result};

    use crate::output::Output;

    const NO_NETWORK: Bilingual = Bilingual::new(
        "this build asks no servers: build with --features live",
        "本程序构建时不含网络：请以 --features live 构建",
    );

    pub fn run(_: &str, _: &ArgMatches, _: &Output) -> Result<u8> {
        Err(Error::refused(Code::MeasureNotBuilt, NO_NETWORK).about("--verify"))
    }
}

#[cfg(feature = "live")]
mod asking {
    use clap::ArgMatches;
    use planner_core::engine;
    use planner_core::error::Code;
    use planner_core::plan::{Plan, plan};
    use planner_core::render::json;
    use planner_core::request::Request;
    use planner_core::spec::model::{ModelSpec, Note};
    use planner_core::text::Sentence;
    use planner_core::units::human_bytes;
    use planner_core::{Error, Result};
    use planner_live::{Client, Failure, Limits, Told, ask, messages, room};
    use planner_log::{Quantity, compare, question};

    use crate::cmd::verify::MISMATCH;
    use crate::cmd::{explain_log, profile};
    use crate::output::{Format, Output, to_text};
    use crate::render::live::Shown;
    use crate::{render, source};

    /// The environment variable of the key: one of its own, so that a key meant for another service is never sent.
    const KEY: &str = "KVPLAN_API_KEY";

    /// Asks, plans the same run, and prints both.
    pub fn run(address: &str, matches: &ArgMatches, output: &Output) -> Result<u8> {
        if address == "python" {
            return Err(Error::refused(Code::MeasureNotBuilt, messages::PYTHON.say(&[])).about("--verify"));
        }
        let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
        let server =
            Client::new(address, key, Limits::default()).map_err(|failure| error(address, &failure))?;
        let mut told = ask(&server).map_err(|failure| error(address, &failure))?;
        let (typed, note) = profile::request(matches)?;
        let asked = question(&told.log, typed.clone());
        let mut notes = std::mem::take(&mut told.notes);
        notes.extend(asked.notes.into_iter().chain(note));
        let mut request = asked.request;
        let model = model(address, matches, &told, &asked.models, &request)?;
        notes.extend(other_version(&told, &request, &notes)?);
        told.sources.iter_mut().filter(|source| is_typed(source.flag, &typed)).for_each(|source| {
            source.from = "";
        });
        notes.extend(room_of_blocks(&mut told, &model, &mut request)?);
        let mut planned = plan(&model, &request)?;
        let mut comparison = compare(&told.log, Some(&planned));
        let taken = taken(&told, &planned, &typed);
        for row in comparison.rows.iter_mut().filter(|row| taken.contains(&row.logged.quantity)) {
            row.planned = None;
        }
        notes.append(&mut planned.notes);
        planned.notes = notes;
        let shown = Shown { address, told: &told, comparison: &comparison };
        print(&planned, &shown, output);
        if let Some(path) = matches.get_one::<String>("calibrate") {
            profile::add(path, planner_log::profile::measured(&told.log, &planned)?)?;
            output.tell(&planner_log::messages::WROTE.text(output.lang, &[path]));
        }
        Ok(if shown.matches() { 0 } else { MISMATCH })
    }

    fn print(planned: &Plan<'_>, shown: &Shown<'_>, output: &Output) {
        let mut document = json::plan(planned, output.lang);
        document["verify"] = shown.json();
        match output.format {
            Format::Json => output.print(&to_text(&document)),
            Format::Csv => output.print(&shown.csv(output)),
            Format::Markdown => {
                output.print(&format!(
                    "{}\n{}",
                    render::markdown::plan(planned, &[], output),
                    shown.text(output)
                ));
            }
            Format::Table => {
                output.print(&render::table::plan(planned, &[], output));
                output.print(&format!("\n{}", shown.text(output)));
            }
        }
    }

    /// Figures that the plan has from the server itself, which would agree whatever the plan is.
    fn taken(told: &Told, planned: &Plan<'_>, typed: &Request) -> Vec<Quantity> {
        let from_server =
            |flag: &str| told.sources.iter().any(|own| own.flag == flag && !own.from.is_empty());
        let mut taken = Vec::new();
        if from_server("n-parallel") {
            taken.push(Quantity::Slots);
            if from_server("ctx-size") && typed.kv_unified.is_none() {
                taken.push(Quantity::SlotTokens);
            }
        }
        if from_server("block-size") {
            taken.push(Quantity::BlockSize);
        }
        let no_room = typed.kv_memory.is_none() && !from_server("kv-memory") && planned.request.gpu.is_none();
        if no_room && planned.request.kv_memory.is_some() {
            taken.push(match told.log.figure(Quantity::Blocks) {
                Some(_) => Quantity::Blocks,
                None => Quantity::Tokens,
            });
        }
        taken
    }

    fn is_typed(name: &str, typed: &Request) -> bool {
        planner_core::request::FLAGS.iter().any(|flag| flag.name == name && flag.is_given(typed))
    }

    /// The model that was typed, or the one that the server names.
    fn model(
        address: &str,
        matches: &ArgMatches,
        told: &Told,
        names: &[String],
        request: &Request,
    ) -> Result<ModelSpec> {
        if let Some(name) = matches.get_one::<String>("model") {
            return source::load(name, request.strict);
        }
        explain_log::known(names, request.strict).ok_or_else(|| {
            let name = told.log.model.as_deref().unwrap_or("-");
            Error::refused(Code::LiveModel, messages::MODEL_UNKNOWN.say(&[&name]))
                .way_out(messages::MODEL_HINT.say(&[&address]))
        })
    }

    /// Says by which rule another version is planned, where nothing says it yet.
    fn other_version(told: &Told, request: &Request, notes: &[Note]) -> Result<Option<Note>> {
        let (_, version) = engine::resolve(request.engine.as_ref())?;
        let own = told.log.version.as_deref().unwrap_or("?");
        let said = notes.iter().any(|note| note.code == "log_version") || own == version;
        Ok((!said).then(|| {
            let text = messages::OTHER_VERSION.say(&[&told.log.engine, &own, &version]);
            Note::new("log_version", text)
        }))
    }

    /// Keeps the room that the engine's blocks take as a figure; where nothing else says the room, it is planned in.
    fn room_of_blocks(told: &mut Told, model: &ModelSpec, request: &mut Request) -> Result<Option<Note>> {
        let planned = plan(model, request)?;
        let tells_room = told.log.figure(Quantity::Room).is_some();
        let known = request.kv_memory.is_some() || (tells_room && request.gpu.is_some());
        if known || planned.parallel.pp() > 1 {
            return Ok(None);
        }
        let Some(figure) = room::figure(&told.log, &planned) else { return Ok(None) };
        drop(planned);
        if request.gpu.is_some() {
            for rank in &mut told.log.ranks {
                rank.figures.insert(Quantity::Room, figure);
            }
            return Ok(None);
        }
        let bytes = u64::try_from(figure.value).unwrap_or(0);
        request.kv_memory = Some(bytes);
        let words = if tells_room { messages::ROOM_OF_TOKENS } else { messages::ROOM_OF_BLOCKS };
        Ok(Some(Note::new("live_room", words.say(&[&human_bytes(bytes)]))))
    }

    /// Why nothing was told, as an error about the address.
    fn error(address: &str, failure: &Failure) -> Error {
        let refused = |code: Code, why: Sentence| Error::refused(code, messages::AT.say(&[&address, &why]));
        let unreachable = |why: Sentence| refused(Code::LiveUnreachable, why);
        match failure {
            Failure::Address => Error::bad_value("--verify", address, messages::WANT.say(&[])),
            Failure::Encrypted => unreachable(messages::ENCRYPTED.say(&[])),
            Failure::Silent(why) => unreachable(messages::SILENT.say(&[why])),
            Failure::TimedOut => unreachable(messages::TIMED_OUT.say(&[])),
            Failure::CutOff => unreachable(messages::CUT_OFF.say(&[])),
            Failure::TooLarge(most) => unreachable(messages::TOO_LARGE.say(&[&most.to_string()])),
            Failure::Redirects(to) => unreachable(messages::REDIRECTS.say(&[to])),
            Failure::NotReady => unreachable(messages::NOT_READY.say(&[])),
            Failure::Key { sent: false } => {
                refused(Code::LiveKey, messages::KEY.say(&[])).way_out(messages::KEY_HINT.say(&[]))
            }
            Failure::Key { sent: true } => refused(Code::LiveKey, messages::KEY_REFUSED.say(&[])),
            Failure::NoEngine => refused(Code::LiveNoEngine, messages::NO_ENGINE.say(&[])),
            Failure::Tgi(version) => refused(Code::LiveNoEngine, messages::TGI.say(&[version])),
            Failure::Missing(path) => refused(Code::LiveNoFigures, messages::MISSING.say(&[path]))
                .way_out(messages::MISSING_HINT.say(&[])),
        }
    }
}
