// One desktop that fills the window, and a bar of tools for it. Each module minds one of them; all share connection.js.
import "./bar.js";
import "./clipboard.js";
import "./events.js";
import "./files.js";
import "./keys.js";
import "./picture.js";
import "./typing.js";
import { connect } from "./connection.js";

connect();
