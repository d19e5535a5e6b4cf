namespace Notify.IntegrationTests;

public sealed class AsyncApiTests
{
    [Fact]
    public async Task AsyncAPI_s_own_parser_finds_no_fault_in_the_document() =>
        Assert.Equal((0, ""), await NodeProgram.RunAsync("tests/asyncapi", "validate.mjs", "../../contracts/asyncapi.yaml"));
}
