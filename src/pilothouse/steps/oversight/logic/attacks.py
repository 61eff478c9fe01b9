"""Rules against prompt injection as data: what a text does when it talks to the model instead of about its subject."""

from dataclasses import dataclass
from typing import Literal

Place = Literal["question", "passage"]
BOTH: frozenset[Place] = frozenset({"question", "passage"})
ASKED: frozenset[Place] = frozenset({"question"})
READ: frozenset[Place] = frozenset({"passage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One pattern (RE2 syntax, case ignored), how much it says (0 to 1), and where it says it."""

    name: str
    family: str
    """Several rules of one family count once: the strongest."""
    pattern: str
    weight: float
    places: frozenset[Place] = BOTH


_DROP = (r"(?:ignore|disregard|forget|overlook|override|bypass|neglect|discard|do not (?:listen|follow|obey)|"
         r"don'?t (?:listen|follow|obey)|pretend to (?:have forgotten|forget)|stop (?:following|obeying))")
_EARLIER = r"(?:previous|prior|above|earlier|preceding|initial|original|former|old|existing|past)"
_RULES = (r"(?:instructions?|prompts?|rules?|directions?|directives?|guidelines?|orders?|commands?|constraints?|"
          r"restrictions?|programming|training)")
_TOLD = rf"(?:{_RULES}|context|safety|policy|policies|messages?|conversation|information)"
_HIDDEN = r"(?:password|passcode|passphrase|secret|secret key|secret word|api key|confidential string|credentials?)"
_PROMPT = (r"(?:system |initial |hidden |secret |original |full |above |previous |developer )?(?:prompt|instructions|"
           r"system message|guidelines)")
_REPLY = r"(?:answer|response|reply|output|elucidation|explanation|message|implementation|code|codebase|solution)"
_CODE = r"(?:code (?:snippet|block|section|excerpt|segment|fragment)|snippet)"

RULES: tuple[Rule, ...] = (
    Rule(name="drop the rules", family="override", weight=0.9,
         pattern=rf"\b{_DROP}\b.{{0,40}}\b{_EARLIER}\b.{{0,30}}\b{_TOLD}\b"),
    Rule(name="drop all rules", family="override", weight=0.85,
         pattern=rf"\b{_DROP}\b.{{0,20}}\b(?:all|any|your|every|these|those|the)\b.{{0,15}}\b{_RULES}\b"),
    Rule(name="forget what you know", family="override", weight=0.8,
         pattern=rf"\b{_DROP}\b (?:all |about )?(?:\w+ )?(?:(?:that|what|which) )?(?:you (?:have|were|had|know|"
                 r"learned)|"
                 r"you'?ve been|the above|everything (?:you|above|before)|about that|all of (?:that|the above))"),
    Rule(name="drop this text", family="override", weight=0.75,
         pattern=rf"\b{_DROP}\b (?:the|this) (?:\w+ )?(?:web ?page|text|document|article|resume|email|function|"
                 r"code|task|"
                 r"question|summary)\b.{0,12}\b(?:and|then|instead|but)\b"),
    Rule(name="new instructions", family="override", weight=0.7,
         pattern=r"\b(?:new|updated|real|actual|revised) (?:instructions?|task|directive|system prompt|"
                 r"rules)\b ?(?::|are|is|follow)"),
    Rule(name="other languages", family="override", weight=0.85,
         pattern=r"\b(?:ignor(?:ez?|iere?n?|a|ar|e)|vergiss|oubliez?|olvida|dimentica|esque[cç]a)\b.{0,30}"
                 r"\b(?:instruc\w+|anweisung\w*|anleitung\w*|istruzioni|instruções|consignes|regeln|reglas|règles|"
                 r"regras)"),
    Rule(name="other scripts", family="override", weight=0.85,
         pattern=r"(?:忽略|无视|無視)[^。]{0,12}(?:指示|指令|说明|提示|命令)|이전 (?:지시|명령)"
                 r"|игнорируй\w*.{0,20}инструкц|(?:पिछले|पिछली).{0,20}(?:निर्देश)"),
    Rule(name="reveal the prompt", family="reveal", weight=0.75,
         pattern=r"\b(?:reveal|print|repeat|show|output|display|leak|recite|give|tell|describe|list|"
                 rf"share)\b.{{0,25}}"
                 rf"\b(?:your|the|all|me|previous|my)\b.{{0,12}}\b{_PROMPT}\b"),
    Rule(name="output previous instructions", family="reveal", weight=0.75,
         pattern=rf"\b(?:output|print|repeat|dump)\b.{{0,10}}\b{_EARLIER}\b.{{0,10}}\b(?:instructions|prompt|text|"
                 r"messages?)\b"),
    Rule(name="what are your instructions", family="reveal", weight=0.6,
         pattern=r"\b(?:what (?:are|were|is|was)|here are) (?:your|my|the) (?:initial |system |original |first |"
                 r"exact )?"
                 r"(?:instructions|prompt|system prompt|rules)\b"),
    Rule(name="ask the model for a secret", family="reveal", weight=0.6, places=ASKED,
         pattern=rf"\b(?:your|tell me|give me|share|reveal|confirm|repeat|write|spell|encode)\b.{{0,30}}\b(?:your|"
                 r"the|a)\b"
                 rf" {_HIDDEN}\b"),
    Rule(name="what you were told to hide", family="reveal", weight=0.7,
         pattern=r"\b(?:told|asked|instructed|not (?:allowed|supposed|permitted)) (?:you )?(?:not )?to (?:reveal|"
                 r"share|tell|"
                 r"say|disclose)\b"),
    Rule(name="another persona", family="persona", weight=0.55,
         pattern=r"\b(?:you are now|from now on,? you|act as (?:an? )?(?:\w+ )?(?:ai|chatgpt|dan|unrestricted|"
                 r"evil|uncensored)|"
                 r"you (?:are|will be) (?:special |being )?(?:\w+ )?(?:dan\b|turned on)|"
                 r"pretend (?:that )?you (?:are|have) (?:an? )?"
                 r"(?:\w+ )?(?:ai|no |unrestricted|not bound))"),
    Rule(name="anything goes", family="persona", weight=0.85,
         pattern=r"\b(?:do anything now|dan mode|jailbreak(?:ed)?\b|developer mode (?:enabled|on|output)|god mode|"
                 r"apophis mode|(?:without|no|free (?:of|from)) (?:any )?(?:ethical |moral |content |safety )?"
                 r"(?:restrictions|filters|guidelines|limitations|censorship|ethics|confines)\b.{0,40}\b(?:ai|"
                 r"assistant|model|you|"
                 r"respond|answer))"),
    Rule(name="a false mode or authority", family="persona", weight=0.6,
         pattern=r"\b(?:maintenance|debug|admin(?:istrator)?|override|developer|root|sudo|system|test(?:ing)?|"
                 r"diagnostic) mode\b"
                 r".{0,80}\b(?:password|confirm|must|you|enabled|reveal|answer)|\byou (?:must|have to|"
                 r"shall) (?:now )?"
                 r"(?:obey|comply|answer all)\b|\binitiate all orders\b"),
    Rule(name="forged turn", family="structure", weight=0.8,
         pattern=r"<\|(?:im_start|im_end|system|endoftext|assistant|user)\|?>|\[/?INST\]|<</?SYS>>|</?(?:system|"
                 r"instructions?)>"
                 r"|(?:^|\n)\s*#{2,}\s*(?:system|instructions?|new task|assistant|response)\s*:?\s*(?:\n|$)"),
    Rule(name="forged end of text", family="structure", weight=0.6,
         pattern=r"(?:%{2,}|={3,}|-{3,}|#{3,}|\*{3,})\s*(?:end|stop|begin|start)\b[^\n]{0,40}\b(?:user|system|"
                 r"prompt|input|text|"
                 r"instructions?|context|document)"),
    Rule(name="begin your answer with", family="steer", weight=0.55,
         pattern=r"\b(?:begin|start|end|confirm|finish|respond|reply|"
                 rf"answer)\b.{{0,12}}\b(?:your )?(?:{_REPLY} )?(?:with|by saying)"
                 r"\s*[:\"“'«]"),
    Rule(name="repeat after me", family="steer", weight=0.5, places=ASKED,
         pattern=r"\b(?:repeat|say|state|print)\b (?:after me|the (?:following|word)s?|exactly|'[^']+'|"
                 r"\"[^\"]+\")"),
    Rule(name="decode and obey", family="disguise", weight=0.55, places=ASKED,
         pattern=r"\b(?:decode|decrypt|deobfuscate|rot13|base64|base32|morse|leetspeak|"
                 r"caesar cipher)\b.{0,80}\b(?:and|then)\b"
                 r".{0,20}\b(?:follow|execute|answer|do|run|tell|respond|obey)"),
    Rule(name="piece together", family="disguise", weight=0.5, places=ASKED,
         pattern=r"\b(?:combine|concatenate|join|merge)\b.{0,30}\b(?:and (?:answer|execute|run|respond|follow)|"
                 r"into)\b"),
    Rule(name="hidden block", family="disguise", weight=0.6, pattern=r"\b[A-Za-z0-9+/]{60,}={0,2}(?:\b|$)"),
    Rule(name="cipher wanted", family="disguise", weight=0.45,
         pattern=r"\b(?:base ?(?:16|32|64|85)|rot13|leetspeak|morse|emojis?|anagrams?|"
                 rf"homophonic)\b.{{0,40}}\b{_REPLY}\b|"
                 rf"\b{_REPLY}\b.{{0,40}}\b(?:in|with|using|as|to form) (?:base ?(?:16|32|64|85)|rot13|leetspeak|"
                 r"morse|anagrams?|"
                 r"homophonic)"),
    Rule(name="send it away", family="exfiltrate", weight=0.7,
         pattern=r"!\[[^\]]*\]\(https?://[^)]*[?=&][^)]*\)|\b(?:send|post|forward|upload|"
                 r"exfiltrate)\b.{0,50}\b(?:conversation|chat|"
                 r"history|answer|response|prompt|data)\b.{0,30}\b(?:to|at) (?:https?://|[\w.+-]+@)"),
    Rule(name="addressed to the model", family="address", weight=0.75, places=READ,
         pattern=r"\b(?:note|message|instructions?|attention|dear|hey|hello)\b,?:? ?(?:to |for )?(?:the |all |"
                 r"any )?"
                 r"(?:ai|llm|language model|assistant|chatbot|chatgpt|gpt|bot|copilot|model)\b|\b(?:if|as|"
                 r"when) you(?:'re| are)? "
                 r"(?:an? )?(?:ai|llm|language model|assistant|chatbot|automated)|(?:^|[.!?:\n]\s*)(?:ai|"
                 r"assistant|chatbot|chatgpt)\b[,:]"),
    Rule(name="steers the answer", family="address", weight=0.6, places=READ,
         pattern=r"\b(?:in|to|into|of|with|throughout|within|at the end of) (?:your|the model'?s|"
                 r"the assistant'?s) (?:\w+ )?"
                 r"(?:answer|response|reply|output|elucidation|summary)\b|\byour (?:answer|response|"
                 r"reply)'?s?\b.{0,30}\b(?:words|"
                 r"letters|sentences|should|must|in)\b"),
    Rule(name="plants code", family="address", weight=0.6, places=READ,
         pattern=rf"\b(?:following|subsequent|below|this|next)\b (?:\w+ )?{_CODE}\b.{{0,60}}(?:\byour\b|:)|"
                 r"\byour (?:code|codebase|"
                 rf"implementation|solution|program)\b.{{0,60}}\b{_CODE}\b"),
    Rule(name="instead of the task", family="address", weight=0.55, places=READ,
         pattern=r"\b(?:instead of|rather than) (?:answering|summari[sz]ing|translating|responding)|"
                 r"\b(?:the )?(?:user|reader|asker)"
                 r" (?:must|should) (?:click|visit|download|follow this link|enter their)"),
    Rule(name="one answer demanded", family="steer", weight=0.5,
         pattern=r"\b(?:you must|must (?:now )?|only|always|simply|just) (?:state|say|answer|respond|reply|output|"
                 r"print)\b.{0,20}"
                 r"(?:['\"“:]|\bthat\b)"),
)
