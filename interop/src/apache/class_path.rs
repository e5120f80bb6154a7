//! The jars of one released version, fetched by Maven, and the judge compiled against them.
//!
//! Both are made once per version in the build folder and used again while the project file or the Java sources they
//! came from stay the same.

use std::{
    env,
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hasher as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, bail};

use super::layout::accounts;

/// One released version, ready to be started.
#[derive(Clone, Debug)]
pub(crate) struct Apache {
    version: String,
    server: String,
    tools: String,
    judge: PathBuf,
}

impl Apache {
    /// Finds or fetches the jars of `version` and compiles the judge. `build` is a folder that outlives the run.
    pub(crate) fn prepare(version: &str, build: &Path) -> Result<Self> {
        // Asked first: without Java, Maven fails too, and says so in worse words.
        let java = Command::new(tool("java")).arg("-version").output();
        let java = java.map_err(|error| missing("Java", "java", JAVA_INSTALL, &error))?;
        new_enough(&String::from_utf8_lossy(&java.stderr))?;
        fs::create_dir_all(build).with_context(|| format!("cannot make {}", build.display()))?;
        let server = class_path(version, "server", build)?;
        let tools = class_path(version, "tools", build)?;
        let judge = build.join(format!("judge-{version}"));
        compile_judge(&tools, &judge)?;
        Ok(Self { version: version.to_owned(), server, tools, judge })
    }

    /// The version, such as `5.5.0`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Whether brokers of this version have access control 1.0 (`plain_acl.yml`), which 5.3.3 took out.
    pub(crate) fn has_access_control_1(&self) -> bool {
        self.numbers() < [5, 3, 3]
    }

    /// Whether this is a version of the line 4.
    pub(crate) fn is_4(&self) -> bool {
        self.numbers() < [5, 0, 0]
    }

    /// A version without jars, for tests that start nothing.
    #[cfg(test)]
    pub(crate) fn of(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            server: String::new(),
            tools: String::new(),
            judge: PathBuf::new(),
        }
    }

    /// The three numbers of the version; what is no number counts as 0.
    fn numbers(&self) -> [u32; 3] {
        let mut numbers = self.version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        std::array::from_fn(|_| numbers.next().unwrap_or(0))
    }

    /// The command that runs `main` of a server. It will write to `home`, which is made.
    pub(super) fn server(&self, home: &Path, memory: &[&str], main: &[&str]) -> Result<Vec<OsString>> {
        furnish(home, SERVER_LOGBACK)?;
        // Nobody looks at it where access control 1.0 is off.
        fs::write(home.join("conf/plain_acl.yml"), accounts())?;
        Ok(java(home, &[memory, FAST_START].concat(), &self.server, main))
    }

    /// The command that runs a class of Apache's examples, which are published for 5.5.0 only. Asks Maven for them when
    /// they are needed. It will write to `home`, which is made.
    pub(crate) fn benchmark(&self, home: &Path, main: &[&str]) -> Result<Vec<OsString>> {
        furnish(home, TOOLS_LOGBACK)?;
        let build = self.judge.parent().context("the build folder is above the judge")?;
        let class_path = class_path(&self.version, "example", build)?;
        Ok(java(home, &[&["-Xmx256m"], FAST_START].concat(), &class_path, main))
    }

    /// The command that compiles and runs a program of one file against the jars of the servers.
    pub(crate) fn program(&self, home: &Path, source: &Path, arguments: &[&str]) -> Result<Vec<OsString>> {
        furnish(home, TOOLS_LOGBACK)?;
        let source = source.display().to_string();
        let main = [&[source.as_str()], arguments].concat();
        Ok(java(home, &[&["-Xmx256m"], FAST_START].concat(), &self.server, &main))
    }

    /// The command that runs the judge. It will write to `home`, which is made.
    pub(crate) fn judge(&self, home: &Path, jvm: Jvm) -> Result<Vec<OsString>> {
        furnish(home, TOOLS_LOGBACK)?;
        let class_path = format!("{}:{}", self.judge.display(), self.tools);
        let options: &[&[&str]] = match jvm {
            Jvm::StartsFast => &[&["-Xmx256m"], FAST_START],
            Jvm::SpeaksTls => &[&["-Xmx256m", "-Dtls.enable=true"], FAST_START],
            // Java's own choice of collector and compilers, as in production.
            Jvm::RunsFast => &[&["-Xms512m", "-Xmx512m"]],
        };
        Ok(java(home, &options.concat(), &class_path, &["judge.Judge"]))
    }
}

/// What a JVM is to be good at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jvm {
    /// To answer some questions soon.
    StartsFast,
    /// To answer some questions over TLS.
    SpeaksTls,
    /// To show how fast Apache's client is.
    RunsFast,
}

/// A JVM that speaks UTF-8 and UTC wherever it runs, and writes to `home` and nowhere else.
fn java(home: &Path, options: &[&str], class_path: &str, main: &[&str]) -> Vec<OsString> {
    let home = home.display();
    let mut command = vec![tool("java")];
    command.extend(options.iter().map(OsString::from));
    command.extend(["-Dfile.encoding=UTF-8", "-Duser.timezone=UTC"].map(OsString::from));
    command.push(format!("-Duser.home={home}").into());
    command.push(format!("-Drocketmq.home.dir={home}").into());
    command.push("-cp".into());
    command.push(class_path.into());
    command.extend(main.iter().map(OsString::from));
    command
}

/// Makes a home as servers and tools want it. Version 4 does nothing without the logging files of its `conf` folder;
/// version 5 carries them in its jars.
fn furnish(home: &Path, logback: &str) -> Result<()> {
    fs::create_dir_all(home.join("conf")).with_context(|| format!("cannot make {}", home.display()))?;
    for part in ["namesrv", "broker", "tools"] {
        fs::write(home.join(format!("conf/logback_{part}.xml")), logback)?;
    }
    Ok(())
}

/// The version of the Java that runs everything, such as `17.0.15`.
pub(crate) fn java_version() -> Option<String> {
    let output = Command::new(tool("java")).arg("-version").output().ok()?;
    version_in(&String::from_utf8_lossy(&output.stderr)).map(str::to_owned)
}

/// `17.0.15` of `openjdk version "17.0.15" 2025-04-15`.
fn version_in(printed: &str) -> Option<&str> {
    printed.split('"').nth(1)
}

/// Refuses an old Java, and a `java` that is none: macOS has one that only says where to get Java.
fn new_enough(printed: &str) -> Result<()> {
    // Java 8 calls itself 1.8, which is too old in either way.
    let major =
        version_in(printed).and_then(|version| version.split(['.', '-', '+']).next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major >= JAVA) {
        return Ok(());
    }
    bail!(
        "Java {JAVA} or newer is needed to run Apache RocketMQ, but `{} -version` says: {}\n{JAVA_INSTALL}",
        tool("java").display(),
        printed.trim()
    )
}

/// The class path of a profile of `pom.xml`, from the build folder or from Maven.
pub(crate) fn class_path(version: &str, profile: &str, build: &Path) -> Result<String> {
    let stamp = digest(&[POM]);
    let known = build.join(format!("{version}-{profile}-{stamp:016x}.classpath"));
    if let Ok(text) = fs::read_to_string(&known)
        && text.split(':').all(|jar| Path::new(jar).exists())
    {
        return Ok(text);
    }
    eprintln!(
        "asking Maven for Apache RocketMQ {version} ({profile}); the first time it downloads up to 100 MB"
    );
    let fresh = known.with_extension(format!("{}", std::process::id()));
    let output = Command::new("mvn")
        .args(["-q", "-B", "-Dstyle.color=never", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/pom.xml")])
        .args([format!("-P{profile}"), format!("-Drocketmq.version={version}")])
        .args(["dependency:build-classpath".to_owned(), format!("-Dmdep.outputFile={}", fresh.display())])
        .output()
        .map_err(|error| missing("Maven", "mvn", MAVEN_INSTALL, &error))?;
    check(&output, || {
        format!(
            "Maven could not resolve Apache RocketMQ {version}: is that version published, and can Maven reach \
             its repository?"
        )
    })?;
    let text = fs::read_to_string(&fresh).context("Maven wrote no class path")?.trim().to_owned();
    fs::write(&fresh, &text)?;
    // At once and whole: another suite may look at the same folder.
    fs::rename(&fresh, &known)?;
    Ok(text)
}

/// Compiles `java/judge` into `classes` unless that was done already from the same sources.
fn compile_judge(class_path: &str, classes: &Path) -> Result<()> {
    let sources: Vec<PathBuf> = fs::read_dir(JUDGE_SOURCES)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .with_context(|| format!("cannot list {JUDGE_SOURCES}"))?;
    let mut texts = vec![class_path.to_owned()];
    for source in &sources {
        texts.push(fs::read_to_string(source)?);
    }
    let stamp = format!("{:016x}", digest(&texts.iter().map(String::as_str).collect::<Vec<_>>()));
    let stamp_file = classes.join("stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|known| known == stamp) {
        return Ok(());
    }
    let output = Command::new(tool("javac"))
        .args(["-nowarn", "-proc:none", "-encoding", "UTF-8", "-cp", class_path, "-d"])
        .arg(classes)
        .args(&sources)
        .output()
        .map_err(|error| missing("A Java compiler", "javac", JAVA_INSTALL, &error))?;
    check(&output, || "the judge (interop/java/judge) does not compile".to_owned())?;
    fs::write(&stamp_file, stamp).context("cannot write into the build folder")
}

/// `java` or `javac`: the one of `JAVA_HOME`, else the one on the path.
fn tool(name: &str) -> OsString {
    let home = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin").join(name));
    home.filter(|path| path.exists()).map_or_else(|| name.into(), PathBuf::into_os_string)
}

fn missing(what: &str, program: &str, install: &str, error: &std::io::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "{what} is needed to run Apache RocketMQ, but `{program}` does not start ({error}). {install} Everything but \
         the interop suite works without it."
    )
}

fn check(output: &Output, what: impl FnOnce() -> String) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    bail!("{}\n{}{}", what(), out.trim_end(), err.trim_end());
}

fn digest(texts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for text in texts {
        hasher.write(text.as_bytes());
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

const POM: &str = include_str!("../../pom.xml");
const JUDGE_SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/java/judge");
/// Warnings on standard output.
const SERVER_LOGBACK: &str = r#"<configuration>
  <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %-5level %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="console"/></root>
</configuration>
"#;
/// Nothing: the output of a tool is its result.
const TOOLS_LOGBACK: &str = "<configuration><root level=\"OFF\"/></configuration>\n";
/// The oldest that the suite is run with.
const JAVA: u32 = 17;
/// A smoke run ends before an optimising compiler pays.
const FAST_START: &[&str] = &["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"];
const JAVA_INSTALL: &str = "Install a JDK (Debian, Ubuntu: apt install openjdk-17-jdk-headless; Fedora: dnf install \
                            java-17-openjdk-devel; macOS: brew install openjdk@17) or let JAVA_HOME name one.";
const MAVEN_INSTALL: &str = "Install it (Debian, Ubuntu: apt install maven; Fedora: dnf install maven; macOS: brew \
                             install maven).";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_the_command_that_installs_it() {
        let error = std::io::Error::from(std::io::ErrorKind::NotFound);
        let text = missing("Maven", "mvn", MAVEN_INSTALL, &error).to_string();
        assert!(text.starts_with("Maven is needed") && text.contains("apt install maven"), "{text}");
    }

    #[test]
    fn an_old_java_and_one_that_is_none_are_refused_with_the_command_that_installs_one() {
        for new in [
            "openjdk version \"17.0.15\" 2025-04-15",
            "openjdk version \"25\" 2025-09-16",
            "java version \"24-ea\"",
        ] {
            new_enough(new).unwrap();
        }
        for old in [
            "java version \"1.8.0_402\"",
            "openjdk version \"11.0.22\" 2024",
            "Unable to locate a Java Runtime.",
        ] {
            let text = new_enough(old).unwrap_err().to_string();
            assert!(text.contains(old) && text.contains("apt install openjdk-17-jdk-headless"), "{text}");
        }
    }

    #[test]
    fn every_version_finds_its_logging_files() {
        let folder = tempfile::tempdir().unwrap();
        furnish(folder.path(), SERVER_LOGBACK).unwrap();
        for part in ["namesrv", "broker", "tools"] {
            assert!(folder.path().join(format!("conf/logback_{part}.xml")).exists(), "{part}");
        }
    }

    #[test]
    fn texts_that_are_cut_elsewhere_have_another_digest() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }
}
