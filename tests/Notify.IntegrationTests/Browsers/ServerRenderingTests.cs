using Notify.Tests;

namespace Notify.IntegrationTests.Browsers;

public sealed class ServerRenderingTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-module-");

    [Fact]
    public async Task The_module_can_be_imported_where_there_is_no_browser()
    {
        // Node goes by the name's end.
        var module = Path.Combine(_folder.FullName, "notify.mjs");
        File.Copy(Path.Combine(Repository.Root, "src/Notify/wwwroot/notify.js"), module);

        var ended = await NodeProgram.EvaluateAsync(
            """
            import assert from "node:assert/strict";
            delete globalThis.navigator; // Node has one from 21 on.
            const notify = await import(process.argv[1]);
            notify.configure({ headers: {} });
            notify.onMessage(() => {})();
            assert.equal(notify.isSupported().supported, false);
            assert.equal((await notify.state()).supported, false);
            assert.equal(await notify.reconcile(), undefined);
            assert.equal(await notify.unsubscribe(), false);
            await assert.rejects(notify.subscribe(), { name: "NotifyError", code: "not_supported" });
            """,
            module);

        Assert.Equal((0, ""), ended);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
