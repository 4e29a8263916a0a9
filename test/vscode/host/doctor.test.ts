import assert from "node:assert/strict";
import * as vscode from "vscode";
import type { Diagnosis } from "../../../src/doctor/diagnosis";
import { extension } from "./extension";

describe("the doctor", function () {
  this.timeout(300_000);
  before(() => extension().activate());
  after(() => vscode.window.tabGroups.close(vscode.window.tabGroups.all.flatMap((group) => group.tabs)));

  it("tries the shipped models on the CPU, and shows what it found in a document that cannot be edited", async () => {
    const [first, second] = [vscode.commands.executeCommand<Diagnosis>("plumbline.doctor"), vscode.commands.executeCommand<Diagnosis>("plumbline.doctor")];
    const diagnosis = await first;
    assert.equal((await second).sections.length, diagnosis.sections.length);
    const cpu = diagnosis.selfTests.filter(({ device }) => device === "cpu");
    assert.ok(cpu.length > 0 && cpu.every(({ failure, timingsMillis }) => failure === undefined && timingsMillis), JSON.stringify(cpu));
    assert.ok(diagnosis.memory && diagnosis.memory.estimate.totalBytes > 0);
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse("plumbline-doctor:/Plumbline Doctor.md"));
    const text = document.getText();
    assert.match(text, /^# Plumbline: Doctor/);
    for (const { title } of diagnosis.sections) assert.ok(text.includes(`## ${title}`), title);
    assert.equal(vscode.workspace.fs.isWritableFileSystem("plumbline-doctor") ?? false, false);
    const labels = vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs.map(({ label }) => label));
    assert.ok(labels.some((label) => label.includes("Plumbline Doctor")), labels.join());
  });
});
