package judge;

import java.util.Map;

/** Writes one JSON object on one line. By hand, because the two client versions bring different JSON libraries. */
final class Json {
    private final StringBuilder out = new StringBuilder("{");

    Json put(String name, String value) {
        name(name);
        if (value == null) {
            out.append("null");
        } else {
            quote(value);
        }
        return this;
    }

    Json put(String name, long value) {
        name(name);
        out.append(value);
        return this;
    }

    Json put(String name, Map<String, String> object) {
        Json nested = new Json();
        object.forEach(nested::put);
        name(name);
        out.append(nested);
        return this;
    }

    @Override
    public String toString() {
        return out + "}";
    }

    private void name(String name) {
        if (out.length() > 1) {
            out.append(',');
        }
        quote(name);
        out.append(':');
    }

    private void quote(String text) {
        out.append('"');
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ' || Character.isSurrogate(c)) {
                // Escaped surrogates survive whatever encoding the stream has.
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
