import java.io.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import org.apache.storm.*;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.*;
import org.apache.storm.topology.*;
import org.apache.storm.topology.base.*;
import org.apache.storm.tuple.*;

/**
 * Topology IN OUT COMMAND [ARG...]: a spout over the lines of IN, a ShellBolt that runs COMMAND, and a bolt that writes the rows to OUT.
 * Ends with 0 when every line of IN is acked. OUT.acked keeps the numbers of acked lines, so a new process emits only the rest, as a spout over
 * Kafka or Kinesis would; OUT.events gets times.
 */
public class Topology {
    static final CountDownLatch DONE = new CountDownLatch(1);
    static PrintStream events;

    static void event(String text) { events.println(String.format("%.3f %s", System.currentTimeMillis() / 1e3, text)); }

    static PrintStream append(String file) {
        try { return new PrintStream(new FileOutputStream(file, true), true); } catch (IOException e) { throw new UncheckedIOException(e); }
    }

    /** Emits line i with message id i; a failed one goes to the head of the queue. */
    public static class FileSpout extends BaseRichSpout {
        final String in, acked; transient SpoutOutputCollector out; transient List<String> lines; transient Deque<Integer> todo; transient Set<Integer> open; transient PrintStream done;
        FileSpout(String in, String acked) { this.in = in; this.acked = acked; }
        @Override public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            out = collector; open = new HashSet<>(); todo = new ArrayDeque<>();
            try {
                lines = Files.readAllLines(Paths.get(in)); Set<Integer> before = new HashSet<>();
                if (Files.exists(Paths.get(acked))) for (String line : Files.readAllLines(Paths.get(acked))) before.add(Integer.parseInt(line));
                for (int i = 0; i < lines.size(); i++) if (!before.contains(i)) todo.add(i);
            } catch (IOException e) { throw new UncheckedIOException(e); }
            done = append(acked); event("spout open, to do " + todo.size());
        }
        @Override public void nextTuple() {
            Integer i = todo.poll();
            // The last line completes all windows, so it waits for the others.
            if (i != null && i == lines.size() - 1 && !open.isEmpty()) { todo.addLast(i); i = null; }
            if (i == null) { org.apache.storm.utils.Utils.sleep(1); return; }
            open.add(i); out.emit(new Values("line-" + i, lines.get(i)), i);
        }
        @Override public void ack(Object id) { done.println(id); open.remove(id); if (open.isEmpty() && todo.isEmpty()) DONE.countDown(); }
        @Override public void fail(Object id) { event("failed " + id); open.remove(id); todo.addFirst((Integer) id); }
        @Override public void declareOutputFields(OutputFieldsDeclarer declarer) { declarer.declare(new Fields("id", "line")); }
    }

    public static class Gauge extends ShellBolt implements IRichBolt {
        Gauge(String... command) { super(command); changeChildCWD(false); }
        @Override public void declareOutputFields(OutputFieldsDeclarer declarer) { declarer.declare(new Fields("row")); }
        @Override public Map<String, Object> getComponentConfiguration() { return Map.of(Config.TOPOLOGY_TICK_TUPLE_FREQ_SECS, 1); }
    }

    public static class Rows extends BaseBasicBolt {
        final String file; transient PrintStream out;
        Rows(String file) { this.file = file; }
        @Override public void prepare(Map<String, Object> conf, TopologyContext context) { out = append(file); }
        @Override public void execute(Tuple tuple, BasicOutputCollector collector) { out.println(tuple.getString(0)); }
        @Override public void declareOutputFields(OutputFieldsDeclarer declarer) { }
    }

    public static void main(String[] arguments) throws Exception {
        events = append(arguments[1] + ".events");
        TopologyBuilder builder = new TopologyBuilder();
        builder.setSpout("lines", new FileSpout(arguments[0], arguments[1] + ".acked"), 1);
        builder.setBolt("gauge", new Gauge(Arrays.copyOfRange(arguments, 2, arguments.length)), 1).fieldsGrouping("lines", new Fields("id"));
        builder.setBolt("rows", new Rows(arguments[1]), 1).globalGrouping("gauge");
        Config config = new Config();
        config.setMessageTimeoutSecs(10); config.setMaxSpoutPending(100); config.setNumWorkers(1);
        config.put(Config.TOPOLOGY_SUBPROCESS_TIMEOUT_SECS, 10);
        event("starting");
        LocalCluster cluster = new LocalCluster();
        cluster.submitTopology("test", config, builder.createTopology());
        event("submitted");
        boolean done = DONE.await(100, TimeUnit.SECONDS);
        event(done ? "done" : "limit reached");
        if (done) Thread.sleep(500);
        Runtime.getRuntime().halt(done ? 0 : 3); // An orderly end takes ten seconds and more.
    }
}
