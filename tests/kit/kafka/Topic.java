// java -cp 'JARS/*' Topic.java BROKER: a line of commands on standard input each, answered by a line "ok ...".
//   create TOPIC PARTITIONS [KEY=VALUE...]     partitions TOPIC COUNT
//   file TOPIC PATH FROM COUNT [KEY=VALUE...]  puts lines of a file: key and partition by the hash of "user", which is a header, too; event times as record times
//   abort TOPIC COUNT                          a transaction with that many records of another user, aborted
//   tombstones TOPIC COUNT                     deletions of keys
//   last TOPIC PATH                            writes the last value of each key to a file, a line each
//   scram USER PASSWORD                        a user of SCRAM-SHA-512
//   lag GROUP TOPIC                            records behind the end by the group's committed offsets
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

class Topic {
    static final Pattern USER = Pattern.compile("\"user\":\\s*\"([^\"]*)\"");
    static final Pattern TIME = Pattern.compile("\"ts\":\\s*(\\d+)");
    static String broker;
    static final Map<String, List<String>> files = new HashMap<>();

    static Properties properties(String[] words, int from) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", broker);
        properties.put("linger.ms", "5");
        for (int i = from; i < words.length; i++) {
            String[] pair = words[i].split("=", 2);
            properties.put(pair[0], pair[1]);
        }
        return properties;
    }

    static KafkaProducer<String, byte[]> producer(Properties properties) {
        return new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer());
    }

    static ProducerRecord<String, byte[]> record(String topic, String line) {
        Matcher user = USER.matcher(line), time = TIME.matcher(line);
        String key = user.find() ? user.group(1) : null;
        Long ts = time.find() ? Long.valueOf(time.group(1)) : null;
        ProducerRecord<String, byte[]> record = new ProducerRecord<>(topic, null, ts, key, line.getBytes(StandardCharsets.UTF_8));
        record.headers().add("trace", "0".getBytes(StandardCharsets.UTF_8));
        for (String value : new String[] {"nobody", key}) record.headers().add("user", value == null ? null : value.getBytes(StandardCharsets.UTF_8));
        return record;
    }

    static String answer(Admin admin, String[] words) throws Exception {
        String topic = words[1];
        switch (words[0]) {
            case "create": {
                Map<String, String> configs = new HashMap<>();
                for (int i = 3; i < words.length; i++) {
                    String[] pair = words[i].split("=", 2);
                    configs.put(pair[0], pair[1]);
                }
                NewTopic created = new NewTopic(topic, Optional.of(Integer.valueOf(words[2])), Optional.of((short) 1));
                admin.createTopics(List.of(created.configs(configs))).all().get();
                // The broker learns of it a moment later.
                for (int tries = 0; ; tries++) {
                    try {
                        admin.describeTopics(List.of(topic)).allTopicNames().get();
                        return "";
                    } catch (ExecutionException unknown) {
                        if (tries == 100) throw unknown;
                        Thread.sleep(100);
                    }
                }
            }
            case "partitions":
                admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(Integer.parseInt(words[2])))).all().get();
                return "";
            case "file": {
                List<String> lines = files.get(words[2]);
                if (lines == null) {
                    lines = Files.readAllLines(Path.of(words[2]));
                    files.put(words[2], lines);
                }
                int from = Integer.parseInt(words[3]), count = Integer.parseInt(words[4]);
                try (KafkaProducer<String, byte[]> producer = producer(properties(words, 5))) {
                    for (String line : lines.subList(from, Math.min(lines.size(), from + count))) producer.send(record(topic, line));
                }
                return "";
            }
            case "abort": {
                Properties properties = properties(words, 3);
                properties.put("transactional.id", "aborts");
                try (KafkaProducer<String, byte[]> producer = producer(properties)) {
                    producer.initTransactions();
                    producer.beginTransaction();
                    for (int i = 0; i < Integer.parseInt(words[2]); i++) producer.send(record(topic, "{\"user\":\"ghost" + i + "\",\"ms\":1}"));
                    producer.flush();
                    producer.abortTransaction();
                }
                return "";
            }
            case "tombstones":
                try (KafkaProducer<String, byte[]> producer = producer(properties(words, 3))) {
                    for (int i = 0; i < Integer.parseInt(words[2]); i++) producer.send(new ProducerRecord<>(topic, "u" + i, null));
                }
                return "";
            case "scram": {
                ScramCredentialInfo info = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096);
                admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(words[1], info, words[2]))).all().get();
                return "";
            }
            case "last": {
                Properties properties = properties(words, 3);
                Map<String, String> last = new HashMap<>();
                try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
                    List<TopicPartition> partitions = new ArrayList<>();
                    for (PartitionInfo info : consumer.partitionsFor(topic)) partitions.add(new TopicPartition(topic, info.partition()));
                    consumer.assign(partitions);
                    consumer.seekToBeginning(partitions);
                    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
                    while (partitions.stream().anyMatch(of -> consumer.position(of) < ends.get(of)))
                        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) last.put(record.key(), record.value());
                }
                Files.write(Path.of(words[2]), last.values());
                return String.valueOf(last.size());
            }
            case "lag": {
                Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets(words[1]).partitionsToOffsetAndMetadata().get();
                int partitions = admin.describeTopics(List.of(words[2])).allTopicNames().get().get(words[2]).partitions().size();
                long lag = 0;
                for (int i = 0; i < partitions; i++) {
                    TopicPartition partition = new TopicPartition(words[2], i);
                    long end = admin.listOffsets(Map.of(partition, OffsetSpec.latest())).partitionResult(partition).get().offset();
                    OffsetAndMetadata at = committed.get(partition);
                    lag += end - (at == null ? 0 : at.offset());
                }
                return String.valueOf(lag);
            }
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    public static void main(String[] arguments) throws Exception {
        broker = arguments[0];
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        try (Admin admin = Admin.create(properties(new String[0], 0))) {
            for (String line; (line = input.readLine()) != null; ) {
                try {
                    System.out.println("ok " + answer(admin, line.trim().split(" +")));
                } catch (Exception failure) {
                    System.out.println("failed " + failure);
                }
                System.out.flush();
            }
        }
    }
}
