"""Compares streamgauge's expressions with DuckDB's: random ones over random rows.

usage: expressions.py STREAMGAUGE [EXPRESSIONS [SEED]]
The same value comes of both, or an error of both. What is known to differ is written differently for
DuckDB; docs/LANGUAGE.md lists it.
"""

import json
import math
import random
import subprocess
import sys

import duckdb

# Rows of which no field is of another type than its name says: `i` and `j` are integers, `f` and `g`
# floats, `s` and `u` text, `t` a time, `b` a truth value, `d` text of a duration. One in five values is null.
ROWS = 12
# Expressions of one run of the command.
BATCH = 50


def rows(rng, durations_rng):
    def some(value):
        return None if rng.random() < 0.2 else value

    integers = [0, 1, -1, 2, 3, -7, 10, 100, 2**31, -(2**63), 2**63 - 1, 2**64, 10**30, -(10**37)]
    floats = [0.5, -0.25, 1.5, 2.5, -2.5, 0.1, 1e-9, 123456.789, 1e15 + 0.5, -7.25e9 - 0.75]
    texts = ["", "a", "b", "ab", "a/b/c", "/api/v1/items", "Hello World", "héllo", "  x ", "aXbXc", "a%b_c", "it's"]
    durations = ["90s", "1h30m", "1 hour 30 minutes", "01:30:00", "26:00:00.25", "-5 minutes", "500ms", "00:00:07"]
    times = ["2024-01-01T00:00:00", "2023-12-31T23:59:59.999", "2024-02-29T12:34:56.789", "1969-07-20T20:17:40", "2025-10-26T01:30:00"]
    return [
        {
            "id": index,
            "i": some(rng.choice(integers)),
            "j": some(rng.choice(integers[:9])),
            "f": some(rng.choice(floats)),
            "g": some(rng.choice(floats[:8])),
            "s": some(rng.choice(texts)),
            "u": some(rng.choice(texts)),
            "t": some(rng.choice(times)),
            "b": some(rng.random() < 0.5),
            "d": durations_rng.choice([None, *durations]),
        }
        for index in range(ROWS)
    ]


class Generator:
    """Makes expressions in both languages: pairs of ours and DuckDB's."""

    def __init__(self, rng, durations=False):
        self.rng = rng
        # Whether there are intervals. Without them the expressions of a seed stay the same.
        self.durations = durations

    def with_durations(self, *choices):
        return choices if self.durations else ()

    def pick(self, *choices):
        return self.rng.choice(choices)()

    def integer_literal(self):
        value = self.rng.choice([0, 1, 2, 3, 7, 8, 10, 100, 255, 1000, 2**40])
        return (f"{value}", f"{value}::hugeint")

    def integer(self, depth):
        if depth <= 0 or self.rng.random() < 0.2:
            field = self.rng.choice(["i", "j"])
            return self.pick(self.integer_literal, lambda: (field, field))
        two = lambda: (self.integer(depth - 1), self.integer(depth - 1))
        return self.pick(
            *[lambda: binary(self.rng.choice(["+", "-", "*"]), *two())] * 4,
            *[lambda: by_zero(self.rng.choice(["//", "%"]), *two())] * 2,
            lambda: call("abs", self.integer(depth - 1)),
            lambda: one("(- {})", "(- {})", self.integer(depth - 1)),
            lambda: call("length", self.text(depth - 1)),
            lambda: call("position_", self.text(depth - 1), self.text(depth - 1)),
            lambda: one("sign({})", "sign({})::hugeint", self.number(depth - 1)),
            lambda: one("cast({} as int)", "cast({} as hugeint)", self.number(depth - 1)),
            lambda: call("mod", self.integer(depth - 1), self.integer_not_zero()),
            lambda: self.shared(self.integer, depth),
            lambda: self.extract(depth),
        )

    def integer_not_zero(self):
        value = self.rng.choice([1, 2, 3, 7])
        return (f"{value}", f"{value}::hugeint")

    def extract(self, depth):
        part = self.rng.choice(["year", "quarter", "month", "week", "day", "doy", "dow", "isodow", "hour", "minute", "second", "millisecond"])
        return one(f"extract({part} from {{}})", f"extract({part} from {{}})::hugeint", self.time(depth - 1))

    def float(self, depth):
        if depth <= 0 or self.rng.random() < 0.2:
            field = self.rng.choice(["f", "g"])
            value = self.rng.choice([0.5, 1.5, 2.25, 100.125, 0.1])
            return self.pick(lambda: (f"{value}", f"{value}::double"), lambda: (field, field))
        two = lambda: (self.float(depth - 1), self.number(depth - 1))
        return self.pick(
            *[lambda: binary(self.rng.choice(["+", "-", "*"]), *two())] * 3,
            lambda: by_zero(self.rng.choice(["/", "%"]), *two()),
            lambda: by_zero("/", self.integer(depth - 1), self.integer(depth - 1)),
            lambda: call("abs", self.float(depth - 1)),
            lambda: self.round(depth),
            lambda: call(self.rng.choice(["floor", "ceil", "trunc", "round"]), self.float(depth - 1)),
            lambda: one("sqrt({})", "(case when {0} >= 0 then sqrt({0}) end)", self.float(depth - 1)),
            lambda: one("ln({})", "(case when {0} > 0 then ln({0}) end)", self.float(depth - 1)),
            lambda: one("cast({} as double)", "cast({} as double)", self.number(depth - 1)),
            lambda: self.shared(self.float, depth),
            lambda: one("epoch({})", "epoch({})", self.time(depth - 1)),
            *self.with_durations(lambda: one("epoch({})", "epoch({})", self.duration(depth - 1))),
        )

    def duration(self, depth):
        """An interval without days, which ours do not have."""
        if depth <= 0 or self.rng.random() < 0.4:
            return self.pick(
                lambda: one("cast({} as interval)", "cast({} as interval)", ("d", "d")),
                lambda: one("try_cast({} as interval)", "try_cast({} as interval)", self.text(0)),
                lambda: ("interval '90' minute", "interval '90' minute"),
                lambda: ("'00:02:00.5'::interval", "'00:02:00.5'::interval"),
            )
        inner = lambda: self.duration(depth - 1)
        return self.pick(
            lambda: binary(self.rng.choice(["+", "-"]), inner(), inner()),
            lambda: one("cast(cast({} as text) as interval)", "cast(cast({} as varchar) as interval)", inner()),
            lambda: self.shared(self.duration, depth),
        )

    def round(self, depth):
        digits = self.rng.choice([0, 1, 2])
        return one(f"round({{}}, {digits})", f"round({{}}, {digits})", self.float(depth - 1))

    def number(self, depth):
        return self.pick(lambda: self.integer(depth), lambda: self.float(depth))

    def text(self, depth):
        if depth <= 0 or self.rng.random() < 0.2:
            value = self.rng.choice(["", "a", "b", "/", "ab", "X", "é", "lo", "it''s"])
            field = self.rng.choice(["s", "u"])
            return self.pick(lambda: (f"'{value}'", f"'{value}'"), lambda: (field, field), lambda: (field, field))
        inner = lambda: self.text(depth - 1)
        small = lambda: self.rng.choice([(str(value), str(value)) for value in (-3, -1, 0, 1, 2, 3, 9)])
        return self.pick(
            lambda: binary("||", inner(), inner()),
            lambda: call("concat", inner(), inner()),
            lambda: call(self.rng.choice(["lower", "upper", "trim", "ltrim", "rtrim", "reverse"]), inner()),
            lambda: call("substr", inner(), small()),
            lambda: call("substr", inner(), small(), small()),
            lambda: call("left", inner(), small()),
            lambda: call("split_part", inner(), (("'/'", "'/'")), small()),
            lambda: call("replace", inner(), inner(), inner()),
            lambda: one("cast({} as text)", "cast({} as varchar)", self.integer(depth - 1)),
            *self.with_durations(lambda: one("cast({} as text)", "cast({} as varchar)", self.duration(depth - 1))),
            lambda: self.regexp(depth),
            lambda: self.shared(self.text, depth),
        )

    def regexp(self, depth):
        regex, to, how = self.rng.choice([("[a-c]+", "<\\\\0>", ""), ("(.)(.)", "\\\\2\\\\1", ", 'g'"), ("X", "-", ", 'g'"), ("^/([a-z]+)/", "\\\\1", "")])
        to = to.replace("\\\\", "\\")
        return self.pick(
            lambda: one(f"regexp_replace({{}}, '{regex}', '{to}'{how})", f"regexp_replace({{}}, '{regex}', '{to}'{how})", self.text(depth - 1)),
            # Without a match DuckDB has '' and we have null.
            lambda: one(
                f"regexp_extract({{}}, '{regex}')",
                f"(case when regexp_matches({{0}}, '{regex}') then regexp_extract({{0}}, '{regex}') end)",
                self.text(depth - 1),
            ),
        )

    def time(self, depth):
        if depth <= 0 or self.rng.random() < 0.4:
            return ("t", "t")
        unit = self.rng.choice(["second", "minute", "hour", "day", "week", "month", "quarter", "year"])
        length = self.rng.choice(["1 second", "90 minute", "25 hour", "3 day"])
        number, word = length.split()
        interval = f"interval '{number}' {word}"
        return self.pick(
            lambda: one(f"date_trunc('{unit}', {{}})", f"date_trunc('{unit}', {{}})::timestamp", self.time(depth - 1)),
            lambda: one(f"({{}} + {interval})", f"({{}} + {interval})", self.time(depth - 1)),
            *self.with_durations(lambda: binary("+", self.time(depth - 1), self.duration(depth - 1))),
            lambda: one(f"({{}} - {interval})", f"({{}} - {interval})", self.time(depth - 1)),
            lambda: self.shared(self.time, depth),
        )

    def shared(self, of, depth):
        """What every type has."""
        inner = lambda: of(depth - 1)
        return self.pick(
            lambda: case(self.truth(depth - 1), inner(), inner()),
            lambda: call("coalesce", inner(), inner()),
            lambda: call(self.rng.choice(["greatest", "least"]), inner(), inner()),
        )

    def truth(self, depth):
        if depth <= 0:
            return ("b", "b")
        operator = self.rng.choice(["=", "<>", "<", "<=", ">", ">="])
        kind = self.rng.choice([self.integer, self.float, self.text, self.time, *self.with_durations(self.duration)])
        pair = lambda: (kind(depth - 1), kind(depth - 1))
        inner = lambda: self.truth(depth - 1)
        pattern = self.rng.choice(["a%", "%b", "%a%", "_", "a%c", "%", "h_llo", ""])
        return self.pick(
            *[lambda: binary(operator, *pair())] * 3,
            lambda: binary("and", inner(), inner()),
            lambda: binary("or", inner(), inner()),
            lambda: one("(not {})", "(not {})", inner()),
            lambda: one("({} is null)", "({} is null)", kind(depth - 1)),
            lambda: binary("is distinct from", *pair()),
            lambda: three("({} between {} and {})", *pair(), kind(depth - 1)),
            lambda: three("({} in ({}, {}))", *pair(), kind(depth - 1)),
            lambda: three("({} not in ({}, {}))", *pair(), kind(depth - 1)),
            lambda: one(f"({{}} like '{pattern}')", f"({{}} like '{pattern}')", self.text(depth - 1)),
            lambda: one(f"({{}} ilike '{pattern}')", f"({{}} ilike '{pattern}')", self.text(depth - 1)),
            lambda: call("starts_with", self.text(depth - 1), self.text(depth - 1)),
            lambda: by_word(self.text(depth - 1), self.text(depth - 1)),
        )

    def any(self):
        depth = self.rng.choice([1, 2, 2, 3, 3, 4])
        kind = self.rng.choice([self.integer, self.float, self.text, self.time, self.truth])
        # A field alone is no expression.
        while True:
            made = kind(depth)
            if not made[0].isalpha():
                return made


def one(ours, theirs, of):
    return (ours.format(of[0]), theirs.format(of[1]))


def three(form, *of):
    return (form.format(*(each[0] for each in of)), form.format(*(each[1] for each in of)))


def binary(operator, a, b):
    return three(f"({{}} {operator} {{}})", a, b)


def by_zero(operator, a, b):
    """A division by zero is null."""
    return (f"({a[0]} {operator} {b[0]})", f"({a[1]} {operator} nullif({b[1]}, 0))")


def by_word(a, b):
    return (f"({a[0]} contains {b[0]})", f"contains({a[1]}, {b[1]})")


def call(name, *of):
    if name == "position_":
        return three("position({} in {})", *of)
    return tuple(f"{name}({', '.join(each[side] for each in of)})" for side in (0, 1))


def case(condition, a, b):
    return three("(case when {} then {} else {} end)", condition, a, b)


def ours(binary, records, expressions):
    """The values of each expression by row; `ERROR` where a row is a dead letter."""
    columns = ", ".join(f"first({text}) as c{index}" for index, text in enumerate(expressions))
    command = [binary, "run", "--format", "jsonl", "--output", "json", "--group", "id", "--agg", columns, "--quiet"]
    run = subprocess.run(command, input=records, capture_output=True, text=True)
    if run.returncode not in (0, 1) or "column" in run.stderr and not run.stdout:
        if "dead letter" not in run.stderr:
            raise SystemExit(f"{expressions}: exit code {run.returncode}: {run.stderr}")
    found = [json.loads(line) for line in run.stdout.splitlines()]
    by_id = {row["group"]["id"]: row for row in found}
    if len(by_id) == ROWS or len(expressions) == 1:
        return [
            [by_id[index][f"c{column}"] if index in by_id else "ERROR" for index in range(ROWS)]
            for column in range(len(expressions))
        ]
    return [ours(binary, records, [text])[0] for text in expressions]


def theirs(db, expression):
    """The values by row; `ERROR` where DuckDB has an error, or a float that is not finite."""
    query = f"select {expression} from r order by id"
    try:
        return [value_of(row[0]) for row in db.execute(query).fetchall()]
    except duckdb.Error:
        pass
    values = []
    for index in range(ROWS):
        try:
            values.append(value_of(db.execute(f"select {expression} from r where id = {index}").fetchone()[0]))
        except duckdb.Error:
            values.append("ERROR")
    return values


def value_of(value):
    if isinstance(value, float) and not math.isfinite(value):
        return "ERROR"
    if hasattr(value, "isoformat"):
        return value.isoformat(timespec="milliseconds") + "Z"
    return value


def agree(got, want):
    if got == "ERROR" and want is None:
        # DuckDB may not compute what a null makes needless.
        return True
    if isinstance(want, str) and want.endswith("Z") and isinstance(got, str) and not got.endswith("Z"):
        # A field that no function read is as the record has it.
        got = got + ("Z" if "." in got else ".000Z")
    if isinstance(want, bool) or isinstance(got, bool) or isinstance(want, str) or want is None or got is None:
        return got == want and isinstance(got, bool) == isinstance(want, bool)
    if isinstance(got, str):
        return False
    # Integers are exact; a float may be written as the integer that it is.
    if isinstance(want, int):
        return got == want
    return math.isclose(got, want, rel_tol=1e-12, abs_tol=1e-300)


def main():
    binary = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 20251130
    rng = random.Random(seed)
    db = duckdb.connect()
    db.execute("set threads = 1")
    db.execute("create table r (id int, i hugeint, j hugeint, f double, g double, s varchar, u varchar, t timestamp, b bool, d varchar)")
    generator = Generator(rng)
    # A tenth of the expressions has intervals.
    durations_rng = random.Random(seed + 1)
    with_durations = Generator(durations_rng, True)
    compared = errors = 0
    differing = {}
    for start in range(0, count, BATCH):
        table = rows(rng, durations_rng)
        db.execute("delete from r")
        db.executemany("insert into r values (?, ?::hugeint, ?::hugeint, ?, ?, ?, ?, ?::timestamp, ?, ?)", [[None if value is None else str(value) if key in "ij" else value for key, value in row.items()] for row in table])
        records = "".join(json.dumps(row) + "\n" for row in table)
        pairs = [generator.any() for _ in range(min(BATCH, count - start))]
        pairs += [with_durations.any() for _ in range(len(pairs) // 10)]
        answers = ours(binary, records, [pair[0] for pair in pairs])
        for (text, sql), got in zip(pairs, answers):
            want = theirs(db, sql)
            for row, (a, b) in zip(table, zip(got, want)):
                compared += 1
                errors += b == "ERROR"
                if not agree(a, b) and text not in differing:
                    differing[text] = (f"{text}\n  of {json.dumps(row)}\n  is {a!r}, and DuckDB has {b!r} for {sql}")
    if differing:
        raise SystemExit(f"seed {seed}: {len(differing)} of {count} expressions differ:\n" + "\n".join(list(differing.values())[:10]))
    print(f"{count} expressions, {compared} values agree with DuckDB {duckdb.__version__}, {errors} of them errors")


main()
