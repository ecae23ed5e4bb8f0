"""
The grammar of conditions, in lark's words; precedences are those of KQL's own grammar.

https://github.com/microsoft/Kusto-Query-Language/tree/master/grammar
"""

from __future__ import annotations

from vedette.kql.values import UNITS

_WORDS = "has|contains|startswith|endswith"
_UNITS = "|".join(sorted(UNITS, key=len, reverse=True))

GRAMMAR = rf"""
start: let* (TABLE stage* | stage+ | WHERE? or_ stage*) ";"*
let: "let" NAME "=" or_ ";"+
?stage: "|" WHERE or_ -> where
      | "|" SUMMARIZE "arg_max" "(" NAME "," "*" ")" "by" NAME -> latest

?or_: and_ ("or" and_)*
?and_: equal ("and" equal)*
?equal: ordered
      | ordered EQUAL ordered -> compared
      | ordered (IN | IN_FOLDED | NOT_IN | ANY_ALL) "(" list ")" -> chosen
      | ordered (BETWEEN | NOT_BETWEEN) "(" sum ".." sum ")" -> between
?ordered: sum
      | sum ORDER sum -> compared
?sum: product
      | sum (PLUS | MINUS) product -> reckoned
?product: search
      | product (STAR | SLASH | PERCENT) search -> reckoned
?search: signed
      | signed FOLDED signed -> compared
      | signed (SEARCH | NOT_SEARCH) signed -> searched
?signed: postfix
      | MINUS postfix -> negative
?postfix: primary
      | postfix "." NAME -> member
      | postfix "."? "[" STRING "]" -> quoted_member
      | postfix "[" NUMBER "]" -> element
      | postfix "[" MINUS NUMBER "]" -> last_element
?primary: NAME -> named
      | NAME "(" ")" -> called
      | NAME "(" list ")" -> called
      | "[" STRING "]" -> quoted_name
      | "(" or_ ")" -> group
      | DYNAMIC -> dynamic
      | STRING -> string
      | NUMBER -> number
      | SPAN -> span
      | TYPED -> typed
      | TRUTH -> truth
list: or_ ("," or_)*

TABLE: "SecurityIncident"
WHERE.2: /(?:where|filter)\b/
SUMMARIZE: "summarize"
IN: "in"
IN_FOLDED.3: /!?in~/
NOT_IN.3: /!in\b(?!~)/
ANY_ALL.2: /has_(?:any|all)\b/
BETWEEN: "between"
NOT_BETWEEN.3: /!between\b/
SEARCH.2: /(?:{_WORDS})(?:_cs)?\b/
NOT_SEARCH.3: /!(?:{_WORDS})(?:_cs)?\b/
EQUAL: /==|!=|<>/
FOLDED: /[=!]~/
ORDER: /[<>]=?/
PLUS: "+"
MINUS: "-"
STAR: "*"
SLASH: "/"
PERCENT: "%"
TRUTH.2: /(?:true|false)\b/
TYPED.2: /(?:datetime|date|timespan|time|bool|boolean|int|long|real|double)\s*\(\s*(?:"[^"\n]*"|'[^'\n]*'|[^()"'\n]*)\s*\)/
DYNAMIC.2: /dynamic\s*\((?:[^()"']|"(?:[^"\\\r\n]|\\[^\r\n])*"|'(?:[^'\\\r\n]|\\[^\r\n])*')*\)/
SPAN.2: /[0-9]+(?:\.[0-9]+)?(?:{_UNITS})\b/
NUMBER.1: /0[xX][0-9a-fA-F]+|[0-9]+(?:\.(?!\.)[0-9]*)?(?:[eE][+-]?[0-9]+)?/
STRING: /[hH]?@"(?:[^"]|"")*"|[hH]?@'(?:[^']|'')*'|[hH]?"(?:[^"\\\r\n]|\\[^\r\n])*"|[hH]?'(?:[^'\\\r\n]|\\[^\r\n])*'/
NAME: /[A-Za-z_$][A-Za-z0-9_$]*/
COMMENT.9: /\/\/[^\r\n]*/
SPACE: /[\s\ufeff]+/
%ignore COMMENT
%ignore SPACE
"""
