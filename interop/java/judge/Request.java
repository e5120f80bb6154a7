package judge;

import java.net.URLDecoder;
import java.util.AbstractMap.SimpleEntry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One line from the launcher: {@code verb name=value&name=value}, names and values percent-encoded as in a form. */
final class Request {
    private final String verb;
    private final List<Map.Entry<String, String>> pairs = new ArrayList<>();

    Request(String line) throws Exception {
        int blank = line.indexOf(' ');
        verb = blank < 0 ? line : line.substring(0, blank);
        if (blank < 0) {
            return;
        }
        for (String pair : line.substring(blank + 1).split("&")) {
            int equals = pair.indexOf('=');
            pairs.add(new SimpleEntry<>(URLDecoder.decode(pair.substring(0, equals), "UTF-8"),
                URLDecoder.decode(pair.substring(equals + 1), "UTF-8")));
        }
    }

    String verb() {
        return verb;
    }

    /** The value of {@code name}, or null. */
    String find(String name) {
        for (Map.Entry<String, String> pair : pairs) {
            if (pair.getKey().equals(name)) {
                return pair.getValue();
            }
        }
        return null;
    }

    String text(String name) {
        String value = find(name);
        if (value == null) {
            throw new IllegalArgumentException(verb + " needs " + name);
        }
        return value;
    }

    long number(String name) {
        return Long.parseLong(text(name));
    }

    /** All values of {@code name}, in order. */
    List<String> all(String name) {
        List<String> values = new ArrayList<>();
        for (Map.Entry<String, String> pair : pairs) {
            if (pair.getKey().equals(name)) {
                values.add(pair.getValue());
            }
        }
        return values;
    }

    /** The pairs whose names start with {@code prefix}, without it. */
    Map<String, String> under(String prefix) {
        Map<String, String> found = new LinkedHashMap<>();
        for (Map.Entry<String, String> pair : pairs) {
            if (pair.getKey().startsWith(prefix)) {
                found.put(pair.getKey().substring(prefix.length()), pair.getValue());
            }
        }
        return found;
    }
}
