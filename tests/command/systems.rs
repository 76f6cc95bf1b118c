//! The logs of sixteen systems, each read by one flag. The lines are our own, in the form in which
//! these systems write theirs.

use super::{Folder, column, streamgauge};

/// How lines are read: by a pattern or by a regular expression.
enum Form {
    Pattern(&'static str),
    Regex(&'static str),
}

use Form::{Pattern, Regex};

/// A system, how its lines are read, how their time is, and a line with the value of a field. A
/// system whose times have no date of a year has no event time.
struct System {
    name: &'static str,
    form: Form,
    time: Option<&'static [&'static str]>,
    field: (&'static str, &'static str),
    line: &'static str,
}

const SYSLOG: Form = Regex(
    r"^(?<time>\w{3} +\d+ [\d:]+) \S+ (?<program>[^\[:]+)(\[(?<pid>\d+)\])?: (?<message>.*)$",
);

const SYSTEMS: [System; 16] = [
    System {
        name: "Android",
        form: Regex(
            r"^(?<day>\S+) \S+ +(?<pid>\d+) +\d+ (?<level>\w) (?<tag>[^:]+): (?<message>.*)$",
        ),
        time: None,
        field: ("tag", "WindowManager"),
        line: "03-17 16:13:38.811  1702  2395 D WindowManager: display 0 is frozen by 3 windows",
    },
    System {
        name: "Apache",
        form: Pattern("[<time>] [<level>] <message>"),
        time: Some(&[]),
        field: ("level", "notice"),
        line: "[Sun Dec 04 04:47:44 2005] [notice] worker 3 has read its properties",
    },
    System {
        name: "BGL",
        form: Pattern("<_> <time> <_> <node> <_> <_> <type> <component> <level> <message>"),
        time: Some(&[]),
        field: ("level", "INFO"),
        line: "- 1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.363779 \
               R02-M1-N0-C:J12-U11 RAS KERNEL INFO a parity error of the cache was corrected",
    },
    System {
        name: "Hadoop",
        form: Regex(
            r"^(?<time>\S+ \S+) (?<level>\w+) \[(?<thread>.*?)\] (?<class>[^:]+): (?<message>.*)$",
        ),
        time: Some(&[]),
        field: ("thread", "main"),
        line: "2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: \
               the master of application 7 begins",
    },
    System {
        name: "HDFS",
        form: Regex(
            r"^(?<time>\d{6} \d{6}) (?<pid>\d+) (?<level>\w+) (?<component>[^:]+): (?<message>.*)$",
        ),
        time: Some(&["--time-format", "%y%m%d %H%M%S"]),
        field: ("level", "INFO"),
        line: "081109 203615 148 INFO dfs.DataNode$PacketResponder: responder 1 of blk_388 ends",
    },
    System {
        name: "HealthApp",
        form: Pattern("<time>|<component>|<pid>|<message>"),
        time: Some(&["--time-format", "%Y%m%d-%H:%M:%S:%f"]),
        field: ("component", "Step_LSC"),
        line: "20171223-22:15:29:606|Step_LSC|30002312|steps are 3579 now",
    },
    System {
        name: "HPC",
        form: Pattern("<id> <node> <component> <state> <time> <flag> <message>"),
        time: Some(&[]),
        field: ("state", "state_change.unavailable"),
        line: "134681 node-246 unix.hw state_change.unavailable 1077804742 1 it has another state",
    },
    System {
        name: "Linux",
        form: SYSLOG,
        time: Some(&["--year", "2005"]),
        field: ("program", "sshd(pam_unix)"),
        line: "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: nobody was let in from 218.188.2.4",
    },
    System {
        name: "Mac",
        form: SYSLOG,
        time: Some(&["--year", "2017"]),
        field: ("program", "kernel"),
        line: "Jul  1 09:00:55 visitor-10-105-160-95 kernel[0]: a switch<0>(0x0)::callback came",
    },
    System {
        name: "OpenSSH",
        form: SYSLOG,
        time: Some(&["--year", "2017"]),
        field: ("program", "sshd"),
        line: "Dec 10 06:55:46 LabSZ sshd[24200]: webmaster of 173.234.31.186 is not known",
    },
    System {
        name: "OpenStack",
        form: Regex(
            r"^\S+ (?<time>\S+ \S+) \d+ (?<level>\w+) (?<component>\S+) \[.*?\] (?<message>.*)$",
        ),
        time: Some(&[]),
        field: ("component", "nova.osapi_compute.wsgi.server"),
        line: "nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO \
               nova.osapi_compute.wsgi.server [req-38101a0b admin - - -] 10.11.10.1 \
               \"GET /v2/servers HTTP/1.1\" status: 200 len: 1893 time: 0.2477829",
    },
    System {
        name: "Proxifier",
        form: Pattern("[<when>] <program> - <target> <message>"),
        time: None,
        field: ("program", "chrome.exe"),
        line: "[10.30 16:49:06] chrome.exe - proxy.example.org:5070 open through proxy HTTPS",
    },
    System {
        name: "Spark",
        form: Regex(r"^(?<time>\S+ \S+) (?<level>\w+) (?<component>[^:]+): (?<message>.*)$"),
        time: Some(&["--time-format", "%y/%m/%d %H:%M:%S"]),
        field: ("component", "executor.CoarseGrainedExecutorBackend"),
        line: "17/06/09 20:10:40 INFO executor.CoarseGrainedExecutorBackend: handlers are set",
    },
    System {
        name: "Thunderbird",
        form: Pattern("<_> <time> <_> <node> <_> <_> <_> <place> <program>: <message>"),
        time: Some(&[]),
        field: ("program", "crond(pam_unix)[2915]"),
        line: "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: \
               the session of root is over",
    },
    System {
        name: "Windows",
        form: Regex(r"^(?<time>\S+ [\d:]+), (?<level>\w+) +(?<component>\w+) +(?<message>.*)$"),
        time: Some(&[]),
        field: ("component", "CBS"),
        line: "2016-09-28 04:30:30, Info                  CBS    the servicing stack was loaded",
    },
    System {
        name: "Zookeeper",
        form: Regex(
            r"^(?<time>\S+ \S+) - (?<level>\w+) +\[.+:(?<component>\w+)@\d+\] - (?<message>.*)$",
        ),
        time: Some(&[]),
        field: ("component", "FastLeaderElection"),
        line: "2015-07-29 17:41:44,747 - INFO  \
               [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774] - no answer",
    },
];

#[test]
fn the_lines_of_sixteen_systems_are_read_by_one_flag() {
    let folder = Folder::new("systems");
    for System { name, form, time, field, line } in SYSTEMS {
        let file = folder.file(name, format!("{line}\n{line}\n"));
        let mut run = vec!["run", &file, "--strict", "--group", field.0, "--output", "json"];
        run.extend(match form {
            Pattern(pattern) => ["--pattern", pattern],
            Regex(expression) => ["--regex", expression],
        });
        if let Some(format) = time {
            run.extend(["--time", "time", "--window", "1h"]);
            run.extend(format);
        }
        run.extend(["--agg", "count, count(message) as messages"]);
        let rows = streamgauge(&run).json();
        assert_eq!(rows[0]["group"][field.0], field.1, "{name}");
        assert_eq!(column(&rows, "messages"), [2], "{name}");
    }
}
