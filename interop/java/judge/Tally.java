package judge;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Map;
import java.util.TreeMap;

/** Which messages of a load a topic holds, and how often. Too many to name each: a sender's are told as ranges. */
final class Tally {
    private final Map<Integer, BitSet> stored = new TreeMap<>();
    private final Map<Integer, Map<Integer, Integer>> again = new TreeMap<>();
    private long messages;
    private long copies;

    /** The body that names a message of a load: {@code SENDER NUMBER} and a filling. */
    static byte[] body(int sender, int number, int size) {
        byte[] name = (sender + " " + number + " ").getBytes(StandardCharsets.US_ASCII);
        byte[] body = Arrays.copyOf(name, Math.max(size, name.length));
        Arrays.fill(body, name.length, body.length, (byte) '.');
        return body;
    }

    /** Counts a message that was read. */
    synchronized void add(byte[] body) {
        String[] words = new String(body, StandardCharsets.US_ASCII).split(" ", 3);
        int sender = Integer.parseInt(words[0]);
        int number = Integer.parseInt(words[1]);
        BitSet known = stored.computeIfAbsent(sender, none -> new BitSet());
        if (known.get(number)) {
            again.computeIfAbsent(sender, none -> new TreeMap<>()).merge(number, 1, Integer::sum);
        } else {
            known.set(number);
            messages++;
        }
        copies++;
    }

    /** How many messages were counted, whatever number of copies each has. */
    synchronized long messages() {
        return messages;
    }

    /** How many copies were counted. */
    synchronized long copies() {
        return copies;
    }

    /** One line a sender: {@code stored} as ranges {@code FIRST-LAST}, and the further copies as {@code NUMBER:COPIES}. */
    synchronized void tell(PrintStream answers) {
        stored.forEach((sender, numbers) -> {
            StringBuilder ranges = new StringBuilder();
            for (int first = numbers.nextSetBit(0); first >= 0;) {
                int behind = numbers.nextClearBit(first);
                ranges.append(first).append('-').append(behind - 1).append(' ');
                first = numbers.nextSetBit(behind);
            }
            StringBuilder further = new StringBuilder();
            again.getOrDefault(sender, Map.of())
                .forEach((number, count) -> further.append(number).append(':').append(count).append(' '));
            answers.println(new Json().put("sender", sender)
                .put("stored", ranges.toString().trim())
                .put("again", further.toString().trim()));
        });
    }
}
